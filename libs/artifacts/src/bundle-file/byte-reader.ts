import { damaged } from './refused';

/** Bytes of a stream by the number: what is asked for, and never more of it in memory than one piece. */
export class ByteReader {
  private readonly source: AsyncIterator<Uint8Array>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** The next `count` bytes, one piece at a time. @throws BundleFileRefused where the stream ends before */
  async *pieces(count: number, what: string): AsyncGenerator<Buffer> {
    for (let left = count; left > 0;) {
      if (this.rest.length === 0 && !(await this.more())) throw damaged('truncated', `the file ends within ${what}: ${left} bytes of ${count} are missing`);
      const piece = this.rest.subarray(0, left);
      this.rest = this.rest.subarray(piece.length);
      left -= piece.length;
      yield piece;
    }
  }
  /** The same, all at once: for what is known to be small. */
  async exactly(count: number, what: string): Promise<Buffer> {
    const all: Buffer[] = [];
    for await (const piece of this.pieces(count, what)) all.push(piece);
    return Buffer.concat(all);
  }
  /** Whether nothing comes any more. */
  async ended(): Promise<boolean> {
    return this.rest.length === 0 && !(await this.more());
  }

  private async more(): Promise<boolean> {
    for (;;) {
      const next = await this.source.next();
      if (next.done === true) return false;
      if (next.value.length === 0) continue;
      this.rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
      return true;
    }
  }
}
