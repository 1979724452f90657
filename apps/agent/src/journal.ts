import { closeSync, existsSync, fstatSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, truncateSync, writeSync } from 'node:fs'; // prettier-ignore
import { dirname } from 'node:path';
import { OrderBody, type OrderResult, type Outcome } from '@strata/model';
import { type HeldAttempt, isNoSpace } from '@strata/tasks';

/** What the journal holds of one order: its newest attempt. Secret values are never here: only references. */
export interface Held extends HeldAttempt {
  body: OrderBody;
  seq: number; // of its last entry
  before?: unknown;
  outcome?: Outcome;
  result?: OrderResult;
  acked: boolean;
}
type Entry =
  | { seq: number; kind: 'accepted'; body: OrderBody }
  | { seq: number; kind: 'running'; orderId: string }
  | { seq: number; kind: 'before'; orderId: string; before: unknown }
  | { seq: number; kind: 'settled'; orderId: string; outcome: Outcome; result: OrderResult }
  | { seq: number; kind: 'acked'; orderId: string };
type NewEntry = Entry extends infer E ? (E extends Entry ? Omit<E, 'seq'> : never) : never;

/** How many settled and acknowledged orders are kept, to answer a repeated one. */
const kept = 2000;

/** On a disk that is nearly full one call may write only a part. */
function writeWhole(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
}

/** Half a line would swallow the next one. */
function dropFrom(fd: number, size: number): void {
  if (fstatSync(fd).isFile()) ftruncateSync(fd, size);
}

/**
 * The agent's write-ahead journal: one JSON line an entry, fsynced before what it announces happens.
 * A torn last line (the machine died in the write) is dropped; a torn line elsewhere is an error.
 * On a full disk it opens all the same, as it lies there: an agent that cannot write can still say so.
 */
export class Journal {
  private readonly orders = new Map<string, Held>();
  private fd = -1; // -1: not open
  /** Why the file could not be made smaller when it was opened: its disk was full. Null when all was well. */
  fullAtOpen: Error | null = null;
  private seq = 0;
  private highest = 0;

  private constructor(
    readonly path: string,
    writes = true,
  ) {
    const whole = this.load();
    if (!writes) return;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      this.compact();
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.fullAtOpen = error as Error;
      if (existsSync(path)) truncateSync(path, whole); // half a line would swallow the next one
    }
  }
  /** @throws Error if the file is damaged or cannot be written, but for want of space. */
  static open(path: string): Journal {
    return new Journal(path);
  }
  /** Only to look into it: nothing is written, and the agent that owns it may run. @throws Error if the file is damaged */
  static read(path: string): Pick<Journal, 'all'> {
    return new Journal(path, false);
  }

  get highestEpoch(): number {
    return this.highest;
  }
  get(orderId: string): Held | undefined {
    return this.orders.get(orderId);
  }
  all(): Held[] {
    return [...this.orders.values()];
  }
  /** Each returns when the entry is on the disk. */
  accepted(body: OrderBody): Held {
    return this.write({ kind: 'accepted', body }, body.orderId);
  }
  running(orderId: string): Held {
    return this.write({ kind: 'running', orderId }, orderId);
  }
  before(orderId: string, before: unknown): Held {
    return this.write({ kind: 'before', orderId, before }, orderId);
  }
  settled(orderId: string, ended: { outcome: Outcome; result: OrderResult }): Held {
    return this.write({ kind: 'settled', orderId, ...ended }, orderId);
  }
  /** A lost ack only costs one more answer: it is no reason to fail. */
  acked(orderId: string): Held {
    try {
      return this.write({ kind: 'acked', orderId }, orderId);
    } catch (error) {
      if (!isNoSpace(error)) throw error;
      this.fold({ seq: this.seq, kind: 'acked', orderId });
      return this.must(orderId);
    }
  }
  close(): void {
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }

  private write(entry: NewEntry, orderId: string): Held {
    const numbered: Entry = { seq: this.seq + 1, ...entry };
    let size: number | null = null;
    try {
      if (this.fd < 0) this.fd = openSync(this.path, 'a', 0o600);
      size = fstatSync(this.fd).size;
      writeWhole(this.fd, `${JSON.stringify(numbered)}\n`);
      if (entry.kind !== 'acked') fsyncSync(this.fd);
    } catch (cause) {
      if (size !== null) dropFrom(this.fd, size);
      const remedy = isNoSpace(cause)
        ? 'the disk is full: free space on it (`df -h`, `strata doctor`)'
        : 'see whether its disk is whole and mounted to be written';
      throw new Error(`the journal ${this.path} could not be written: ${(cause as Error).message}; ${remedy}`, { cause });
    }
    this.seq = numbered.seq;
    this.fold(numbered);
    return this.must(orderId);
  }
  private must(orderId: string): Held {
    const held = this.orders.get(orderId);
    if (!held) throw new Error(`the journal has no order ${orderId}`);
    return held;
  }
  private fold(e: Entry): void {
    if (e.kind === 'accepted') {
      // What an earlier attempt found ahead of its changes stands: they may be half made, and this attempt has to make them take effect.
      const before = this.orders.get(e.body.orderId)?.before;
      this.orders.delete(e.body.orderId); // so that the map stays in the order of the last acceptance
      this.orders.set(e.body.orderId, { body: e.body, epoch: e.body.epoch, attempt: e.body.attempt, state: 'accepted', seq: e.seq, before, acked: false });
      this.highest = Math.max(this.highest, e.body.epoch);
      return;
    }
    const held = this.orders.get(e.orderId);
    if (!held) return;
    held.seq = e.seq;
    if (e.kind === 'running') held.state = 'running';
    if (e.kind === 'before') held.before = e.before;
    if (e.kind === 'settled') {
      Object.assign(held, { state: 'settled', outcome: e.outcome, result: e.result });
      if (held.body.action === 'undo' && e.outcome === 'changed') this.takenBack(held.body);
    }
    if (e.kind === 'acked') held.acked = true;
  }
  /** After an undo nothing of ours is there any more: the same step of the same run would begin afresh. */
  private takenBack({ runId, step }: OrderBody): void {
    for (const held of this.orders.values()) if (held.body.runId === runId && held.body.step === step) delete held.before;
  }
  /** @returns how many bytes of the file hold whole entries */
  private load(): number {
    let text = '';
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    const lines = text.split('\n');
    lines.forEach((line, i) => {
      if (line === '') return;
      let entry: Entry;
      try {
        entry = JSON.parse(line) as Entry;
      } catch (cause) {
        if (i === lines.length - 1) return; // torn by a crash: it announced nothing yet
        throw new Error(`${this.path}, line ${i + 1} is damaged; move the file away and join this node again`, { cause });
      }
      if (entry.kind === 'accepted') entry.body = OrderBody.parse(entry.body);
      this.seq = entry.seq;
      this.fold(entry);
    });
    return Buffer.byteLength(text.slice(0, text.lastIndexOf('\n') + 1));
  }
  /** Rewrites the file with what is still worth keeping, and opens it for appending. */
  private compact(): void {
    const over = this.all().filter((h) => h.state === 'settled' && h.acked);
    for (const h of over.slice(0, Math.max(0, over.length - kept))) this.orders.delete(h.body.orderId);
    const lines: Entry[] = [];
    for (const h of this.orders.values()) {
      const { orderId } = h.body;
      lines.push({ seq: h.seq, kind: 'accepted', body: h.body });
      if (h.state !== 'accepted') lines.push({ seq: h.seq, kind: 'running', orderId });
      if (h.before !== undefined) lines.push({ seq: h.seq, kind: 'before', orderId, before: h.before });
      if (h.outcome && h.result) lines.push({ seq: h.seq, kind: 'settled', orderId, outcome: h.outcome, result: h.result });
      if (h.acked) lines.push({ seq: h.seq, kind: 'acked', orderId });
    }
    const last = this.seq;
    const temporary = `${this.path}.new`;
    const fd = openSync(temporary, 'w', 0o600);
    try {
      writeWhole(fd, lines.map((l) => `${JSON.stringify(l)}\n`).join(''));
      fsyncSync(fd);
    } catch (error) {
      rmSync(temporary, { force: true }); // a part of it would only take space
      throw error;
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, this.path);
    this.seq = last;
    this.fd = openSync(this.path, 'a', 0o600);
  }
}
