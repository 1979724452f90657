import { Injectable } from '@nestjs/common';
import { TaskError } from '@strata/tasks';
import { Edges } from '../serve/edges';

const goneWaitMs = 20_000;

/** Takes a node's agent away: the agent is told to remove itself, and its certificate is worth nothing from then on. */
@Injectable()
export class RemoveAgent {
  constructor(private readonly edges: Edges) {}

  /** @throws TaskError when the agent cannot be told and `force` was not given. */
  async run(at: { clusterId: string; name: string }, options: { force: boolean; signal: AbortSignal }): Promise<void> {
    const { store, sessions } = this.edges;
    const row = await store.nodes.named(at.clusterId, at.name);
    if (!row || row.state !== 'enrolled') return;
    const session = sessions.of(row.id);
    if (!session && !options.force)
      throw new TaskError('node-offline', `the agent of ${at.name} has no session, so it cannot be told to go`, {
        remedy: 'bring the node up and retry the step, or remove the node with --force: its agent then stays, without any right',
        retry: true,
      });
    if (session) {
      await session.link.send({ kind: 'dismiss', reason: 'the node was removed from its cluster' });
      await sessions.when(row.id, 'gone', { ms: goneWaitMs, signal: options.signal });
    }
    await store.nodes.tombstone(row.id, await store.epochs.next('node'));
    sessions.revoke(row.id, `node ${at.name} was removed from its cluster`);
  }
}
