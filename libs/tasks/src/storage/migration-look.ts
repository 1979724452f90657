import { type Finding, NodeName, ObjectStore, PlainPath } from '@strata/model';
import { z } from 'zod';
import { definePrecheck, defineTask } from '../define-task';
import { blocker, gib } from '../native/findings';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { asideOf, isBare, namesIn, noteOf, reserved } from './migration';
import { mustBeShared } from './mounted';
import { storageDataOf } from './storage-paths';

const resume = 'go on with that one by `strata runs resume`, or take it back by `strata storage rollback`';

/** What keeps this machine's tree from becoming, or going into, the shared one. */
async function against(host: Host, { path, source }: { path: string; source: boolean }): Promise<Finding[]> {
  const aside = asideOf(path);
  if ((await host.files.stat(aside)) !== null)
    return [blocker('migration.aside', `${aside} is there: an earlier migration was neither committed nor rolled back`, resume)];
  const mounts = (await host.mounts.list()).map((m) => m.path);
  const on = mounts.find((m) => m === path || m.startsWith(`${path}/`));
  if (on !== undefined)
    return [blocker('migration.mount', `${on} is a mount of its own: it could not be set aside by its name`, `unmount it, or mount that disk above ${path}, then try again`)];
  if (source && (await isBare(host, path)))
    return [blocker('migration.empty', `${path} holds nothing: an empty tree never becomes the shared one`, 'name the node whose tree shall be the shared one: `--from NODE`; a cluster without data is installed anew with `kind: juicefs`')];
  const taken = (await namesIn(host, path)).filter((name) => reserved.includes(name));
  if (taken.length > 0)
    return [blocker('migration.reserved', `${path} holds ${taken.join(', ')}, names that the shared tree needs for itself`, 'rename them, then try again')];
  return [];
} // prettier-ignore

async function used(host: Host, path: string): Promise<{ bytes: number; files: number }> {
  if ((await host.files.stat(path)) === null) return { bytes: 0, files: 0 };
  const remedy = 'see whether the tree can be read, then retry the step';
  const of = async (...flags: string[]): Promise<number> =>
    Number.parseInt((await must(host, ['du', '-s', ...flags, '--', path], { timeoutMs: 3_600_000, remedy, durable: `du${flags.join('')}` })).stdout, 10);
  return { bytes: await of('-B1'), files: await of('--inodes') };
}

/** The tree before it is moved: refused is what could not be undone or would be lost. Measured for the room that it needs. */
export const migrationLook = defineTask({
  name: 'migration.look', version: 1, layer: 'native', timeout: '2h', attempts: 2,
  title: 'The tree can be moved',
  input: z.strictObject({ path: PlainPath, source: z.boolean() }),
  before: z.strictObject({}),
  output: z.strictObject({ bytes: z.number(), files: z.number() }),
  async check({ host, input }) {
    const findings = await against(host, input);
    return findings.length > 0 ? { state: 'refused', findings } : { state: 'satisfied', output: await used(host, input.path) };
  },
  async apply() {
    return Promise.resolve();
  },
  undo: { never: 'nothing was changed: the step only looks' },
}); // prettier-ignore

/** Bytes of Redis for a file with its chunks and names, rounded up: JuiceFS counts 300. */
const perFile = 1000;
const free = async (host: Host, folder: string): Promise<number> =>
  (await host.mounts.space((await host.files.stat(folder)) === null ? '/var/lib' : folder)).free;

/** There is room for all trees: on the disk of the objects, and in the memory of the metadata. */
export const migrationRoom = definePrecheck({
  name: 'migration.room', version: 1, title: 'There is room for the trees',
  input: z.strictObject({
    trees: z.array(z.strictObject({ bytes: z.number(), files: z.number() })),
    objects: ObjectStore.nullable(), // null: they are on another node
    memoryMiB: z.int().nullable(), // null: the metadata is on another node
  }),
  async look({ host, input }) {
    const [bytes, files] = (['bytes', 'files'] as const).map((of) => input.trees.reduce((sum, t) => sum + t[of], 0)) as [number, number];
    const found: Finding[] = [];
    if (input.objects !== null) {
      const [has, wants] = [await free(host, storageDataOf[input.objects]), bytes * 1.2];
      if (has < wants) found.push(blocker('migration.space', `the trees hold ${gib(bytes)}, the disk of the objects has ${gib(has)} left, and ${gib(wants)} are needed`, 'make room there, or let `storage.objects.node` name a node with a larger disk'));
    }
    const mib = (files * perFile) / 2 ** 20;
    if (input.memoryMiB !== null && mib > input.memoryMiB * 0.7)
      found.push(blocker('migration.memory', `the trees have ${files} files, which take ${Math.ceil(mib)} MiB of metadata: more than 70 % of ${input.memoryMiB} MiB`, 'set a larger `storage.metadata.maxMemoryMiB`, on a node that has that memory'));
    return found;
  },
}); // prettier-ignore

/** The old tree may go: the new one was found equal, and is what this machine shows. */
export const migrationMayEnd = definePrecheck({
  name: 'migration.may-end', version: 1, title: 'The old tree is not needed any more',
  input: z.strictObject({ path: PlainPath, node: NodeName }),
  async look({ host, input }) {
    if ((await host.files.stat(asideOf(input.path))) === null) return [];
    await mustBeShared(host, input.path);
    if ((await noteOf(host)).verified !== null) return [];
    return [blocker('migration.unverified', `${input.node} has not found its old and the new tree equal yet`, resume)];
  },
}); // prettier-ignore
