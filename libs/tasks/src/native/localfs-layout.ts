import { AbsolutePath } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';

/** What users of the tree may rely on: a place for what all may see, and one for the volumes of workloads. */
export const treeFolders: readonly string[] = ['common', 'volumes'];
const folders = (path: string): { path: string; mode: number }[] =>
  ['', ...treeFolders.map((name) => `/${name}`)].map((name) => ({ path: `${path.replace(/\/+$/, '')}${name}`, mode: 0o755 }));

async function missing(host: Host, path: string): Promise<string[]> {
  const stats = await Promise.all(folders(path).map(async (f) => ({ f, stat: await host.files.stat(f.path) })));
  return stats.filter(({ stat }) => stat?.kind !== 'directory').map(({ f }) => f.path);
}

export const localfsLayout = defineTask({
  name: 'localfs.layout', version: 1, layer: 'native', timeout: '1m', attempts: 2,
  title: 'The tree for data is laid out',
  input: z.strictObject({ path: AbsolutePath.refine((p) => p.split('/').filter(Boolean).length >= 1, 'must not be the root') }),
  before: z.strictObject({ folders: z.array(FileImage) }),
  output: z.strictObject({ path: z.string() }),
  async check({ host, input }) {
    const absent = await missing(host, input.path);
    if (absent.length === 0) return { state: 'satisfied', output: { path: input.path } };
    const images: FileImage[] = [];
    for (const path of absent) images.push(await host.files.image(path));
    return { state: 'unsatisfied', reason: `not there: ${absent.join(', ')}`, before: { folders: images } };
  },
  async apply({ host, input }) {
    for (const f of folders(input.path)) if ((await host.files.stat(f.path)) === null) await host.files.mkdir(f.path, { mode: f.mode });
  },
  /** A folder in which somebody put something stays: data is never deleted. */
  async undo({ host, before }) {
    for (const image of [...before.folders].reverse()) await host.files.restore(image);
  },
}); // prettier-ignore
