import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './lab';
import { ended, labProgram, node as nodeProgram, startProgram, until } from './program';

/** Writes files one after the other, flushes each, renames it into place, and only then says its number; what fails is left out and said on the error output. */
const writer = `
use strict; use IO::Handle; $| = 1;
my ($dir, $node, $i) = @ARGV;
for (;; $i++) {
  my $done = eval {
    open(my $f, '>', "$dir/.$node-$i") or die "open: $!\\n";
    print $f "$node $i\\n" x (1 + $i * 7919 % 4000) or die "write: $!\\n";
    $f->flush or die "write: $!\\n"; $f->sync or die "fsync: $!\\n"; close($f) or die "close: $!\\n";
    rename("$dir/.$node-$i", "$dir/$node-$i") or die "rename: $!\\n";
  };
  if ($done) { print "$i\\n" } else { print STDERR "$i: $@"; select(undef, undef, undef, 0.3) }
  select(undef, undef, undef, 0.02);
}`;
/** The hash that file \`i\` of a node has to have. */
const expected = (node: string, i: number): string =>
  createHash('sha256').update(`${node} ${i}\n`.repeat(1 + ((i * 7919) % 4000))).digest('hex'); // prettier-ignore

/** A program of nobody's in a node that writes into a folder of the shared view, and comes again when the node does. It knows what was acknowledged to it. */
export class WriteLoad {
  readonly acknowledged: number[] = [];
  /** What it was refused, in the words of the kernel. */
  errors = '';
  private child: ChildProcess | undefined;
  private stopped = false;
  private readonly over: Promise<void>;

  private constructor(
    private readonly lab: Lab,
    private readonly at: { node: string; dir: string },
  ) {
    this.over = this.goOn();
  }
  /** Starts one, and waits until it has written something. */
  static async start(lab: Lab, at: { node: string; dir: string }): Promise<WriteLoad> {
    await lab.must(at.node, ['mkdir', '-p', at.dir]);
    const load = new WriteLoad(lab, at);
    await load.more(20, 60_000);
    return load;
  }
  private async goOn(): Promise<void> {
    for (let next = 0; !this.stopped; next += 100_000) {
      const { node, dir } = this.at; // numbers of another boot: a file whose number was not said may be there all the same
      this.child = startProgram([nodeProgram, labProgram, 'exec', node, '--name', this.lab.name, '--', 'perl', '-e', writer, dir, node, String(next)], {});
      let rest = '';
      this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        this.acknowledged.push(...lines.map(Number));
      });
      this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.errors += text));
      await ended(this.child);
      if (!this.stopped) await sleep(1_000);
    }
  }
  /** Waits until it has written so many more. */
  async more(count: number, timeoutMs: number): Promise<void> {
    const since = this.acknowledged.length;
    await until(`${this.at.node} to write ${count} files more (last refusal: ${this.errors.slice(-100)})`, timeoutMs, () => Promise.resolve(this.acknowledged.length >= since + count || null)); // prettier-ignore
  }
  async stop(): Promise<void> {
    this.stopped = true;
    this.child?.kill('SIGTERM');
    await this.over;
  }
  /** What is lost or wrong of it, as seen from a node: acknowledged files that are not there, and files with another content. */
  async wrongFrom(node: string): Promise<string[]> {
    const said = await this.lab.must(node, ['sh', '-c', 'cd "$1" && find . -type f -name "$2-*" -exec sha256sum {} +', 'sh', this.at.dir, this.at.node], { timeoutMs: 180_000 });
    const seen = new Map([...said.matchAll(/^(\w+) {2}\.\/\S+?-(\d+)$/gm)].map((m) => [Number(m[2]), m[1] ?? '']));
    const lost = this.acknowledged.filter((i) => !seen.has(i)).map((i) => `${this.at.node}-${i} is lost`);
    return [...lost, ...[...seen].filter(([i, sha]) => sha !== expected(this.at.node, i)).map(([i]) => `${this.at.node}-${i} has another content`)];
  } // prettier-ignore
}
