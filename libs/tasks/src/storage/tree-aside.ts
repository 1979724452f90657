import { PlainPath } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { asideOf, dropNote, keepNote, noteOf } from './migration';
import { mark, mountType } from './mounted';

const remedy = 'see what holds the folder (`fuser -m`), then retry the step';
/** A rename, so that there is one moment and no half. */
const rename = (host: Host, from: string, to: string): Promise<unknown> => must(host, ['mv', '-T', '--', from, to], { timeoutMs: 60_000, remedy });

/** The old tree is the machine's path again. What a mount left below itself is an empty folder. @throws TaskError when it is not */
async function putBack(host: Host, path: string): Promise<void> {
  const aside = asideOf(path);
  if ((await host.files.stat(aside)) === null) return;
  const type = await mountType(host, path);
  if (type !== null) throw new TaskError('still-mounted', `${path} is a mount of type ${type}: the old tree cannot come back to it`, { remedy: 'unmount it, then retry the step', retry: true });
  if ((await host.files.stat(path)) !== null) {
    const found = await host.files.list(path);
    if (found.length > 0) throw new TaskError('not-empty', `${path} holds ${found.slice(0, 3).join(', ')}, which would be lost`, { remedy: 'move it away, then retry the step' });
    await mark(host, '-i', path);
    await host.files.remove(path);
  }
  await rename(host, aside, path);
} // prettier-ignore

/** The cutover's first half: the machine's own tree makes room under its own name, whole, for the mount that follows. */
export const treeAside = defineTask({
  name: 'tree.aside', version: 1, layer: 'native', timeout: '2m', attempts: 3,
  title: 'The old tree is set aside',
  input: z.strictObject({ path: PlainPath }),
  before: z.strictObject({ path: PlainPath, there: z.boolean() }),
  output: z.strictObject({ aside: z.string() }),
  async check({ host, input }) {
    const aside = asideOf(input.path);
    if ((await host.files.stat(aside)) !== null) return { state: 'satisfied', output: { aside } };
    return { state: 'unsatisfied', reason: `${input.path} is still the machine's own`, before: { path: input.path, there: (await host.files.stat(input.path)) !== null } };
  },
  async apply({ host, input, before }) {
    await keepNote(host, { ...(await noteOf(host)), verified: null });
    if (!before.there) return host.files.mkdir(asideOf(input.path), { mode: 0o755 });
    const type = await mountType(host, input.path);
    if (type !== null) throw new TaskError('not-own', `${input.path} is a mount of type ${type}, not this machine's own tree`, { remedy: 'unmount it, then retry the step' });
    await rename(host, input.path, asideOf(input.path));
  },
  async undo({ host, before }) {
    if (before.there) await putBack(host, before.path);
    else await host.files.remove(asideOf(before.path));
    await dropNote(host);
  },
}); // prettier-ignore

/** The way back: after the shared tree is unmounted. */
export const treeBack = defineTask({
  name: 'tree.back', version: 1, layer: 'native', timeout: '2m', attempts: 3,
  title: 'The old tree is in its place again',
  input: z.strictObject({ path: PlainPath }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host, input }) {
    const aside = await host.files.stat(asideOf(input.path));
    return aside === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: 'it is still set aside', before: {} };
  },
  async apply({ host, input }) {
    await putBack(host, input.path);
  },
  async verify({ host }) {
    await dropNote(host);
  },
  undo: { never: 'it was the machine\'s own before the migration' },
}); // prettier-ignore

/** The end of the way back: what was kept for it goes. */
export const treeDrop = defineTask({
  name: 'tree.drop', version: 1, layer: 'native', timeout: '6h', attempts: 3,
  title: 'The old tree is deleted',
  input: z.strictObject({ path: PlainPath }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host, input }) {
    const aside = await host.files.stat(asideOf(input.path));
    return aside === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: 'it is still there', before: {} };
  },
  async apply({ host, input, signal }) {
    const aside = asideOf(input.path);
    await must(host, ['rm', '-rf', '--one-file-system', '--', aside], { durable: 'delete', timeoutMs: 5 * 3_600_000, remedy: `see what holds ${aside}, then retry the step`, signal });
  },
  async verify({ host }) {
    await dropNote(host);
  },
  undo: { never: 'it was committed: the shared tree has all of it' },
}); // prettier-ignore
