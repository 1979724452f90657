import type { NewLogLine } from '@strata/store';
import type { Edges } from '../serve/edges';

const lingerMs = 200;
const most = 500;

/** Gathers log lines for a moment, so that many go into the table with one statement. */
export class LogKeeper {
  private waiting: NewLogLine[] = [];
  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly edges: Edges) {}

  add(line: NewLogLine): void {
    this.waiting.push(line);
    if (this.waiting.length >= most) void this.flush();
    else this.timer ??= setTimeout(() => void this.flush(), lingerMs).unref();
  }

  /** Resolves when everything said so far is in the table. A failure is logged: a lost log line stops no run. */
  async flush(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    const lines = this.waiting.splice(0);
    if (lines.length === 0) return;
    await this.edges.store.logs.insert(lines).catch((error: unknown) => this.edges.log.warn({ err: error, lines: lines.length }, 'log lines were lost'));
  }
}
