import type { PodWatch } from '@strata/cluster';
import { PodChanges, type Word } from './pod-changes';

/** What changes within `everyMs` is one change; after `latestMs` it looks without being told: what pods use, and whose they are, comes with a look. */
const usual = { everyMs: 500, latestMs: 5_000 };

/** The pods of one watch as words with ids, for any number of readers. It looks while somebody reads. */
export class PodFeed {
  private readonly changes = new PodChanges();
  private readonly readers = new Set<() => void>();
  private taking: Promise<void> = Promise.resolve();
  private running = false;
  private wake: () => void = () => undefined;

  /** @param life names this feed among all others, also of servers before and after this one */
  constructor(
    private readonly watch: Pick<PodWatch, 'look' | 'onNews'>,
    readonly life: string,
    private readonly how: { failed: (error: unknown) => void; everyMs?: number; latestMs?: number },
  ) {}

  /** Begins to read: from then on `poke` is called when there are words. Resolves when what is known is of now, with what ends it. */
  async join(poke: () => void): Promise<() => void> {
    this.readers.add(poke);
    const leave = (): void => {
      this.readers.delete(poke);
      this.wake();
    };
    void this.run().catch(this.how.failed);
    await this.take().catch((error: unknown) => {
      leave();
      throw error;
    });
    return leave;
  }
  whole(): ReturnType<PodChanges['whole']> {
    return this.changes.whole();
  }
  since(id: number): Iterable<Word> | null {
    return this.changes.since(id);
  }
  /** The id of a word for readers, who send it when they come back. */
  mark(id: number): string {
    return `${this.life}.${id}`;
  }
  /** The word of such an id; null where it is not of this feed. */
  marked(mark: string | undefined): number | null {
    const [, life, id] = /^(.+)\.(\d{1,15})$/.exec(mark ?? '') ?? [];
    return life === this.life ? Number(id) : null;
  }

  private async run(): Promise<void> {
    if (this.running) return;
    this.running = true;
    const { everyMs, latestMs } = { ...usual, ...this.how };
    let news = false;
    const unlisten = this.watch.onNews(() => {
      news = true;
      this.wake();
    });
    try {
      while (this.readers.size > 0) {
        await this.pause(everyMs, () => this.readers.size === 0);
        await this.pause(latestMs - everyMs, () => news || this.readers.size === 0);
        news = false;
        if (this.readers.size > 0) await this.take();
      }
    } finally {
      unlisten();
      this.running = false;
    }
  }
  /** One after the other: an older look must not come after a newer one. */
  private take(): Promise<void> {
    const next = this.taking
      .catch(() => undefined)
      .then(async () => {
        if (this.changes.take(await this.watch.look())) for (const poke of this.readers) poke();
      });
    this.taking = next;
    next.catch(() => undefined); // told to whoever waits for it
    return next;
  }
  private async pause(ms: number, enough: () => boolean): Promise<void> {
    if (enough()) return;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        this.wake = () => undefined;
        resolve();
      };
      const timer = setTimeout(over, ms);
      this.wake = () => enough() && over();
    });
  }
}
