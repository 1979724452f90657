import { NodeName, PlainPath } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { asideOf, isBare, keepNote, noteOf, ofNode, reserved, scratch } from './migration';
import { mustBeShared } from './mounted';
import { RunId } from './run-id';

/**
 * What a tree is, in lines that say the same on any file system: kind, mode, owner, time, size, target; groups of hard links by the first name of each;
 * the sha256 of each file; extended attributes, among which are the ACLs. Names are quoted, whatever is in them. Of the root only what is in it: a mount
 * has an owner and mode of its own there. Folders have no size, and of other attributes only those that a tree is copied with.
 */
const manifestScript = `#!/bin/sh
# Written by Strata: the manifest of the tree $1, into the file $2
set -eu
export LC_ALL=C QUOTING_STYLE=c
cd "$1"
work=$2.parts
rm -rf "$work"
mkdir -p "$work/sums"
all() { find . -mindepth 1 \\( ${reserved.map((name) => `-path ./${name}`).join(' -o ')} \\) -prune -o "$@"; }
all -type d -exec stat --printf 'd %a %u %g %Y %N\\n' {} + | sort >"$work/1"
all ! -type d -exec stat --printf '%f %u %g %s %Y %t,%T %N\\n' {} + | sort >"$work/2"
all ! -type d -links +1 -exec stat --printf '%i %N\\n' {} + | sort -k2 | awk '{ i = $1; $1 = ""; if (!(i in first)) first[i] = $0; print first[i] " = " $0 }' | sort >"$work/3"
all -type f -print0 | SUMS="$work/sums" xargs -0 -r -n 256 -P 4 sh -c 'sha256sum -- "$@" >"$SUMS/$$"' sh
find "$work/sums" -type f -exec cat {} + | sort >"$work/4"
all -print0 | sort -z | xargs -0 -r getfattr -h -d -e hex -m '^(user|trusted|security\\.capability|system\\.posix_acl_)' -- >"$work/5"
cat "$work/1" "$work/2" "$work/3" "$work/4" "$work/5" >"$2"
rm -rf "$work"
`;
const script = `${scratch}/manifest`;
const Input = z.strictObject({ path: PlainPath, node: NodeName, source: z.boolean(), run: RunId, back: z.boolean() });
type Input = z.infer<typeof Input>;
type Context = NodeContext<Input>;
const passOf = ({ run }: Input): string => `${run}:compared`;

/** Digest and number of lines of a tree's manifest, which stays in a file. */
async function manifest({ host, signal }: Context, root: string, name: 'old' | 'new'): Promise<{ sha256: string; entries: number }> {
  const out = `${scratch}/${name}`;
  const remedy = 'see what its words name, then retry the step: both trees stay as they are';
  await must(host, ['/bin/sh', script, root, out], { durable: name, timeoutMs: 12 * 3_600_000, remedy, signal });
  const [sum, lines] = [await must(host, ['sha256sum', '--', out], { timeoutMs: 300_000 }), await must(host, ['wc', '-l', '--', out], { timeoutMs: 300_000 })];
  return { sha256: sum.stdout.slice(0, 64), entries: Number.parseInt(lines.stdout, 10) };
}
async function firstDifferences({ host }: Context): Promise<string[]> {
  const { stdout } = await host.programs.run(['diff', '--', `${scratch}/old`, `${scratch}/new`], { timeoutMs: 300_000 });
  return stdout.split('\n').filter((line) => /^[<>]/.test(line)).slice(0, 10).map((line) => line.slice(0, 300)); // prettier-ignore
}

/** The old and the shared tree are equal, by the hash of each file and all that a file has beside its content. */
export const treeCompare = defineTask({
  name: 'tree.compare', version: 1, layer: 'native', timeout: '24h', attempts: 2,
  title: 'The old and the shared tree are equal',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({ sha256: z.string(), entries: z.int() }),
  async check({ host, input }) {
    const [note, aside] = [await noteOf(host), asideOf(input.path)];
    const none = { sha256: '', entries: 0 };
    if (note.passes.includes(passOf(input)) && note.verified) return { state: 'satisfied', output: note.verified };
    if (input.back && ((await host.files.stat(aside)) === null || note.verified === null)) return { state: 'satisfied', output: none }; // nothing was copied back
    return { state: 'unsatisfied', reason: 'they were not compared in this run', before: {} };
  },
  async apply(c) {
    const { host, input, progress } = c;
    const aside = asideOf(input.path);
    await mustBeShared(host, input.path);
    await host.files.mkdir(scratch, { mode: 0o700 });
    await host.files.write(script, manifestScript, { mode: 0o600 });
    progress(0.1, 'reading the old tree');
    const old = await manifest(c, aside, 'old');
    progress(0.4, 'reading the shared tree');
    const bare = !input.source && (await isBare(host, aside));
    const shared = bare ? old : await manifest(c, input.source ? input.path : ofNode(input.path, input.node), 'new');
    if (old.sha256 !== shared.sha256)
      throw new TaskError('trees-differ', `${aside} and the shared tree are not equal: somebody wrote into one of them after the last pass, or the copy is not whole`, {
        remedy: 'look at the lines (old with <, new with >); `strata storage rollback` brings the old tree back as it is',
        detail: await firstDifferences(c),
      });
    await host.files.remove(scratch, { recursive: true });
    const note = await noteOf(host);
    await keepNote(host, { passes: [...note.passes, passOf(input)], verified: old });
  },
  undo: { never: 'nothing was changed: the step only reads' },
}); // prettier-ignore
