import { z } from 'zod';

/** One thing to try from a machine. udp and icmp go with "don't fragment"; `size` counts the whole packet, `sends` how often it is sent. */
export interface Try {
  kind: 'tcp' | 'udp' | 'icmp';
  address: string;
  port: number;
  size?: number;
  sends?: number;
  delayMs?: number;
}
/** ok: answered. no: the kernel or the other side refused, `errno` says how. late: nothing came. */
export interface Tried {
  how: 'ok' | 'no' | 'late';
  us: number;
  errno: number;
}
export interface Opened {
  /** errno 0: it listens. */
  listeners: { proto: 'tcp' | 'udp'; port: number; errno: number }[];
  /** Whether it sees packets ahead of the machine's own firewall. */
  sniffs: boolean;
}
/** A packet that reached the machine, whether or not its firewall let it in. `from`: the name that a udp packet gives, `-` for tcp. */
export interface Seen {
  address: string;
  proto: 'tcp' | 'udp';
  port: number;
  from: string;
}
const Proto = z.enum(['tcp', 'udp']);
const answers = {
  listen: z.object({ listen: z.array(z.tuple([Proto, z.number(), z.number()])), sniffs: z.boolean() }),
  try: z.object({ tries: z.array(z.tuple([z.number(), z.enum(['ok', 'no', 'late']), z.number(), z.number()])) }),
  flow: z.object({ bytes: z.number(), us: z.number() }),
  sync: z.object({ us: z.array(z.number()) }),
  seen: z.object({ seen: z.array(z.tuple([z.string(), Proto, z.number(), z.string()])) }),
};

/**
 * What is said to the probe and what it answers: a line of words there, a line of JSON back, each with the number of its question. Whatever
 * else comes (the greeting of a login shell) is passed over.
 */
export class Conversation {
  private readonly open = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  private text = '';
  private last = 0;
  private ended: Error | null = null;
  constructor(private readonly send: (line: string) => void) {}

  /** Takes what came from the machine, in whatever pieces. */
  receive(piece: string): void {
    this.text += piece;
    const lines = this.text.split('\n');
    this.text = lines.pop()!.slice(-(1 << 20));
    for (const line of lines) this.line(line);
  }
  /** Nothing more will come: all that is still asked fails with this. */
  end(because: Error): void {
    this.ended ??= because;
    for (const { reject } of this.open.values()) reject(because);
    this.open.clear();
  }
  /** The program's own first words, by their number: -1 which language there is, 0 it runs. */
  first(id: -1 | 0, timeoutMs: number): Promise<unknown> {
    return this.wait(id, timeoutMs);
  }

  async listen(name: string, address: string, ports: readonly { proto: 'tcp' | 'udp'; port: number }[]): Promise<Opened> {
    const said = await this.ask('listen', [name, address, ...ports.map((p) => `${p.proto}:${p.port}`)], 10_000);
    return { listeners: said.listen.map(([proto, port, errno]) => ({ proto, port, errno })), sniffs: said.sniffs };
  }
  /** All at once; the answers in the order of the questions. */
  async tries(list: readonly Try[], timeoutMs: number): Promise<Tried[]> {
    const words = list.map((t, i) => [i, t.kind, t.address, t.port, t.size ?? 64, t.sends ?? 1, Math.round(t.delayMs ?? 0)].join(':'));
    const longest = Math.max(0, ...list.map((t) => t.delayMs ?? 0));
    const said = await this.ask('try', [String(timeoutMs), ...words], timeoutMs + longest + 10_000);
    const tried = list.map((): Tried => ({ how: 'late', us: 0, errno: 0 }));
    for (const [n, how, us, errno] of said.tries) if (n in tried) tried[n] = { how, us, errno };
    return tried;
  }
  /** How fast bytes arrive over TCP; the receiver counts. Null when none did. */
  async flow(to: { address: string; port: number }, limit: { bytes: number; ms: number }): Promise<{ bytes: number; us: number } | null> {
    const said = await this.ask('flow', [to.address, String(to.port), String(limit.bytes), String(limit.ms)], limit.ms + 10_000);
    return said.bytes > 0 && said.us > 0 ? said : null;
  }
  /** How long each of some small writes took to be safe on the disk under `path`, µs; empty when nothing could be written there. */
  async sync(path: string, count: number, ms: number): Promise<number[]> {
    return (await this.ask('sync', [path, String(count), String(ms)], ms + 20_000)).us;
  }
  async seen(): Promise<Seen[]> {
    return (await this.ask('seen', [], 10_000)).seen.map(([address, proto, port, from]) => ({ address, proto, port, from }));
  }

  private async ask<V extends keyof typeof answers>(verb: V, words: readonly string[], timeoutMs: number): Promise<z.infer<(typeof answers)[V]>> {
    const wrong = words.find((w) => !/^[A-Za-z0-9.:/_-]+$/.test(w));
    if (wrong !== undefined) throw new Error(`the probe cannot be told ${JSON.stringify(wrong)}`);
    this.last += 1;
    const answer = this.wait(this.last, timeoutMs);
    this.send(`${[this.last, verb, ...words].join(' ')}\n`);
    return answers[verb].parse(await answer) as z.infer<(typeof answers)[V]>;
  }
  private wait(id: number, timeoutMs: number): Promise<unknown> {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.open.delete(id);
        act();
      };
      const timer = setTimeout(() => settle(() => reject(new Error(`the probe gave no answer in ${timeoutMs} ms`))), timeoutMs);
      this.open.set(id, { resolve: (answer) => settle(() => resolve(answer)), reject: (error) => settle(() => reject(error)) });
    });
  }
  private line(line: string): void {
    if (!line.startsWith('{"id":')) return;
    try {
      const said = JSON.parse(line) as { id: number };
      this.open.get(said.id)?.resolve(said);
    } catch {
      // not a line of the probe's
    }
  }
}
