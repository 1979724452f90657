import { NodeName, PlainPath } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';
import { asideOf, isBare, notePass, noteOf, ofNode, reserved, sidePath } from './migration';
import { mountType, mustBeShared } from './mounted';
import { RunId } from './run-id';

const Input = z.strictObject({
  path: PlainPath,
  node: NodeName,
  source: z.boolean(), // its tree becomes the shared one; that of any other node goes below `.nodes`
  run: RunId,
  pass: z.enum(['first', 'second', 'last', 'back']), // first and second while others write; back: from the shared tree into the old one
});
type Input = z.infer<typeof Input>;
type Context = Pick<NodeContext<Input>, 'host' | 'input'>;
const passOf = ({ run, pass }: Input): string => `${run}:${pass}`;

/** From where to where. */
function ends({ path, node, source, pass }: Input): { from: string; to: string } {
  const view = pass === 'back' ? path : sidePath;
  const shared = source ? view : ofNode(view, node);
  return pass === 'back' ? { from: shared, to: asideOf(path) } : { from: path, to: shared };
}
/** Why there is nothing to copy, or null. */
async function needless({ host, input }: Context): Promise<string | null> {
  if (input.pass === 'back') {
    if ((await host.files.stat(asideOf(input.path))) === null) return 'no tree was set aside here';
    if ((await noteOf(host)).verified === null) return 'the shared tree was never found equal, and nobody wrote into it: the old one is whole';
    return !input.source && (await isBare(host, ends(input).from)) ? 'the shared tree has nothing of this machine' : null;
  }
  return !input.source && (await isBare(host, input.path)) ? 'the tree of this machine is empty' : null;
}
/** @throws TaskError when one of the ends is something else than it must be: what `--delete` does then cannot be taken back. */
async function mustBeSafe({ host, input }: Context): Promise<void> {
  const { from, to } = ends(input);
  await mustBeShared(host, input.pass === 'back' ? input.path : sidePath);
  const own = input.pass === 'back' ? to : from;
  const type = await mountType(host, own);
  if (type !== null)
    throw new TaskError('not-own', `${own} is a mount of type ${type}, not this machine's own tree`, { remedy: 'unmount it, then retry the step' });
  if (input.pass !== 'back' && (await host.files.stat(asideOf(input.path))) !== null)
    throw new TaskError('cut-over', `${input.path} is not the old tree any more: that is ${asideOf(input.path)}`, { remedy: 'take the migration back by `strata storage rollback`' });
  if (input.source && (await isBare(host, from)) && !(await isBare(host, to)))
    throw new TaskError('empty-source', `${from} is empty and ${to} is not: nothing was copied, since it would delete all of it`, {
      remedy: 'find out where the tree went: a disk that is not mounted, another path. Put it back, then retry the step',
    });
} // prettier-ignore

/**
 * Attributes that are not the tree's: JuiceFS notes at its root when it last dumped its metadata, under a name that no other file system takes. With a filter
 * given, rsync leaves out its own: the `system` attributes, which are ACLs (copied by -A) and what a file system tells of itself.
 */
const notOfTheTree = ['--filter=-x lastBackup', '--filter=-x system.*'] as const;

async function rsync({ host, input }: Context, c: Pick<NodeContext<Input>, 'progress' | 'signal'>): Promise<void> {
  const { from, to } = ends(input);
  const keeps = input.source ? reserved.map((name) => `--exclude=/${name}`) : [];
  const seen = (line: string): void => {
    const percent = /\s(\d{1,3})%\s/.exec(line)?.[1];
    if (percent !== undefined) c.progress(Math.min(1, Number(percent) / 100), `copying ${from}`);
  };
  const argv = ['rsync', '-aHAXS', '--numeric-ids', '--delete', '--info=progress2', ...notOfTheTree, ...keeps, `${from}/`, `${to}/`] as const;
  const ran = await host.programs.run([...argv] as [string, ...string[]], { durable: 'copy', timeoutMs: 24 * 3_600_000, onLine: seen, signal: c.signal });
  const quiet = input.pass === 'last' || input.pass === 'back';
  if (ran.code === 0 || (ran.code === 24 && !quiet)) return; // 24: files that vanished while it copied, which the next pass sees
  throw new TaskError('copy-failed', `rsync from ${from} to ${to} ended with exit status ${ran.code}; the old tree is untouched where it was the source`, {
    remedy: 'see what its words name (no space, a file system that does not answer, files that somebody still changes), mend it, then `strata runs resume`',
    retry: true,
    detail: ran.stderr.trim().split('\n').slice(-8),
  });
} // prettier-ignore
async function folderFor(host: Host, to: string): Promise<void> {
  if ((await host.files.stat(to)) === null) await host.files.mkdir(to, { mode: 0o755 });
}

/** All of a tree, to the last attribute, with what is not in it any more gone on the other side. A pass that died is taken up by the next: rsync copies what differs. */
export const treeCopy = defineTask({
  name: 'tree.copy', version: 1, layer: 'native', timeout: '24h', attempts: 3,
  title: 'The tree is copied',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check(c) {
    if ((await noteOf(c.host)).passes.includes(passOf(c.input)) || (await needless(c)) !== null) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: `the ${c.input.pass} pass of this run is to come`, before: {} };
  },
  async apply(c) {
    await mustBeSafe(c);
    if (!c.input.source && c.input.pass !== 'back') await folderFor(c.host, ends(c.input).to);
    await rsync(c, c);
    await notePass(c.host, passOf(c.input));
  },
  undo: { never: 'the copy stays beside the tree that it was made of; the next pass makes it equal again' },
}); // prettier-ignore
