import { Injectable } from '@nestjs/common';

/** What the ends of runs still mean for their clusters, while that is being written down: who asks for the cluster next must not find it as it was. */
@Injectable()
export class RunEnds {
  private readonly under = new Map<string, Promise<void>>();

  /** Keeps in mind that this follows the end of a run, until it is done or failed. */
  async keep<T>(runId: string, what: Promise<T>): Promise<T> {
    const over = what.then(() => undefined, () => undefined); // prettier-ignore
    this.under.set(runId, over);
    try {
      return await what;
    } finally {
      if (this.under.get(runId) === over) this.under.delete(runId);
    }
  }
  /** Resolves when it is done: of this run, or of all. At once where nothing is under way. */
  async settled(runId?: string): Promise<void> {
    await (runId === undefined ? Promise.all(this.under.values()) : this.under.get(runId));
  }
}
