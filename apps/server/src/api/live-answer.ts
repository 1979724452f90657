import type { Response } from './http';

const everyMs = 15_000;
interface How {
  type: 'text/event-stream' | 'application/x-ndjson';
  stopping: AbortSignal;
}
const signs = { 'text/event-stream': ': ping\n\n', 'application/x-ndjson': '\n' };

/** An answer that goes on until whoever asked goes, or the server stops. It gives a sign of life every 15 s, and what a slow reader has not taken does not pile up where its sender waits for `room`. */
export class LiveAnswer {
  private readonly left = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private readonly leave = (): void => this.left.abort();

  /** `beat`: called along with each sign of life. */
  constructor(
    private readonly response: Response,
    private readonly how: How,
    beat: () => void = () => undefined,
  ) {
    response.once('close', this.leave);
    how.stopping.addEventListener('abort', this.leave, { once: true });
    if (response.destroyed || how.stopping.aborted) this.leave();
    this.timer = setInterval(() => {
      if (this.begun && !response.writableNeedDrain) response.write(signs[how.type]);
      beat();
    }, everyMs);
  }

  /** Fires when whoever asked is gone, or the server stops. */
  get over(): AbortSignal {
    return this.left.signal;
  }
  /** Whether it can be refused no more. */
  get begun(): boolean {
    return this.response.headersSent;
  }
  begin(): void {
    if (this.begun) return;
    this.response.writeHead(200, { 'content-type': this.how.type, 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    this.response.flushHeaders();
  }
  /** Whether there is room for more: else wait for it. */
  write(text: string): boolean {
    if (this.over.aborted) return true;
    this.begin();
    return this.response.write(text);
  }
  /** Resolves when the reader has taken what was written, or is gone. */
  async room(): Promise<void> {
    if (this.over.aborted || !this.response.writableNeedDrain) return;
    await new Promise<void>((resolve) => {
      const over = (): void => {
        this.response.off('drain', over);
        this.over.removeEventListener('abort', over);
        resolve();
      };
      this.response.once('drain', over);
      this.over.addEventListener('abort', over, { once: true });
    });
  }
  /** To be called however it ended. An answer that has not begun is left to whoever refuses it. */
  end(): void {
    clearInterval(this.timer);
    this.response.off('close', this.leave);
    this.how.stopping.removeEventListener('abort', this.leave);
    if (this.begun) this.response.end();
  }
}
