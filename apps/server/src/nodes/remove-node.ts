import { Injectable } from '@nestjs/common';
import type { RunStarted } from '@strata/model';
import { conflict } from '../api/problem';
import { StartRun } from '../runs/start-run';
import { ShowNodes } from './show-nodes';

/** Begins the run that takes a node out of its cluster and gives the machine back. The spec loses the node when the run is done. */
@Injectable()
export class RemoveNode {
  constructor(
    private readonly nodes: ShowNodes,
    private readonly startRun: StartRun,
  ) {}

  /** @throws ProblemError 404, 409 */
  async run(at: { id: string; name: string }, options: { force: boolean; by: string }): Promise<RunStarted> {
    const node = await this.nodes.record(at.id, at.name);
    if (node.role === 'control-plane')
      throw conflict(
        'control-plane',
        `node "${node.name}" is the control plane: without it there is no cluster`,
        'uninstall the whole cluster: strata uninstall',
      );
    return this.startRun.run(at.id, { intent: { kind: 'remove-node', nodes: [node.name], dryRun: false, force: options.force } }, options.by);
  }
}
