import { PassThrough } from 'node:stream';
import type { SshMachine } from '../machine';
import { Conversation } from './conversation';
import { perlProbe } from './perl';
import { pythonProbe } from './python';

/** Reads its length, then itself, from the input: nothing is written on the machine, and no shell sees the program's text. */
export const perlStart =
  '$n="";while(sysread(STDIN,$c,1)==1&&$c ne"\\n"){$n.=$c}$p="";while(length($p)<$n){sysread(STDIN,$p,$n-length($p),length($p))||exit 1}eval$p;die$@if$@';
export const pythonStart = `import os
n=b""
while not n.endswith(b"\\n"):n+=os.read(0,1) or exit(1)
p=b""
while len(p)<int(n):p+=os.read(0,int(n)-len(p)) or exit(1)
exec(compile(p,"probe","exec"))`;
const choose = `if perl -MSocket -MPOSIX -e 1 >/dev/null 2>&1; then echo '{"id":-1,"has":"perl"}'; exec perl -e "$1"; fi
for p in python3 /usr/libexec/platform-python; do if "$p" -c 1 >/dev/null 2>&1; then echo '{"id":-1,"has":"python3"}'; exec "$p" -c "$2"; fi; done
echo '{"id":-1,"has":"none"}'`;
export const probes = { perl: perlProbe, python3: pythonProbe } as const;

/** A small program at work on a machine for as long as we hold it: it listens, tries and measures, and leaves nothing behind. */
export class NodeProbe {
  private constructor(
    readonly language: keyof typeof probes,
    readonly talk: Conversation,
    private readonly stop: () => Promise<void>,
  ) {}

  /** Null when the machine has neither Perl nor Python. @throws Error when it cannot be started */
  static async start(machine: SshMachine, signal: AbortSignal): Promise<NodeProbe | null> {
    const input = new PassThrough();
    const talk = new Conversation((line) => input.write(line));
    const ending = new AbortController();
    const over = machine
      .exec(['sh', '-c', choose, 'probe', perlStart, pythonStart], {
        input,
        timeoutMs: 90_000,
        signal: AbortSignal.any([signal, ending.signal]),
        onOutput: (piece) => talk.receive(piece.toString('latin1')),
      })
      .then(
        (r) => talk.end(new Error(`the probe on ${machine.name} ended with exit status ${r.code}: ${r.stderr.trim().split('\n').at(-1) ?? ''}`)),
        (error: unknown) => talk.end(error instanceof Error ? error : new Error(String(error))),
      );
    const stop = async (): Promise<void> => {
      input.end();
      const late = setTimeout(() => ending.abort(), 3_000);
      await over;
      clearTimeout(late);
    };
    try {
      const { has } = (await talk.first(-1, 15_000)) as { has: string };
      if (has !== 'perl' && has !== 'python3') {
        await stop();
        return null;
      }
      const program = Buffer.from(probes[has], 'latin1');
      const runs = talk.first(0, 15_000);
      input.write(`${program.length}\n`);
      input.write(program);
      await runs;
      return new NodeProbe(has, talk, stop);
    } catch (error) {
      await stop();
      throw error;
    }
  }
  /** Ends the program; its listeners are gone with it. */
  close(): Promise<void> {
    return this.stop();
  }
}
