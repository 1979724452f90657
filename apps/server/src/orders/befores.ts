import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { privateDirectory, readPrivateFile, writePrivateFile } from '@strata/pki';
import { TaskError } from '@strata/tasks';
import { Edges } from '../serve/edges';

/** What the server's own tasks found ahead of their first change: durable before the change, so that a restart knows it. */
@Injectable()
export class Befores {
  constructor(private readonly edges: Edges) {}

  /** What an earlier life of this order kept. */
  async read(orderId: string): Promise<{ value: unknown }> {
    const kept = await readPrivateFile(this.pathOf(orderId));
    return { value: kept ? (JSON.parse(kept.toString('utf8')) as unknown) : undefined };
  }
  /** Durable when it resolves. */
  async keep(orderId: string, into: { value: unknown }, value: unknown): Promise<void> {
    await privateDirectory(this.dir());
    await writePrivateFile(this.pathOf(orderId), JSON.stringify(value));
    into.value = value;
  }
  async drop(orderId: string): Promise<void> {
    await rm(this.pathOf(orderId), { force: true });
  }

  /** What was found ahead of the first change that any run of the cluster made by this step; undefined when none changed anything. */
  async first(clusterId: string, step: string): Promise<unknown> {
    let first: unknown;
    for (let cursor: string | undefined, more = true; more;) {
      const page = await this.edges.store.runs.list({ clusterId, cursor, limit: 100 });
      for (const run of page.runs) {
        const events = (await this.edges.ledger.read(run.id)).reverse();
        if (this.edges.ledger.isBroken(run.id))
          throw new TaskError('seal-broken', `the ledger of run ${run.id} is not what this server wrote: what it says was there before is not believed`, {
            remedy: 'find out who changed the database; restore it from a backup, or clean up that step by hand',
          });
        for (const event of events) {
          if (event.kind !== 'OrderSettled' || event.step !== step || event.body.late) continue;
          const { action, outcome, result } = event.body;
          if (action === 'undo' && (outcome === 'changed' || outcome === 'satisfied')) return first;
          if (action === 'run' && result.before !== undefined) first = result.before;
        }
      }
      cursor = page.next ?? undefined;
      more = cursor !== undefined;
    }
    return first;
  }

  private dir(): string {
    return join(this.edges.settings.home, 'journal');
  }
  private pathOf(orderId: string): string {
    return join(this.dir(), `${createHash('sha256').update(orderId).digest('hex').slice(0, 32)}.json`);
  }
}
