import { ArchiveArtifact } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage } from '../ports/host';
import { RuntimePlace, runtimePaths } from '../runtime-place';

const plugins = ['bridge', 'host-local', 'loopback', 'portmap', 'flannel'];
/** Which archive the plugins came from. */
const noteIn = (folder: string): string => `${folder}/.strata`;

export const cniInstall = defineTask({
  name: 'cni.install', version: 1, layer: 'native', timeout: '2m', attempts: 3,
  title: 'The network plugins are installed',
  input: z.strictObject({ archive: ArchiveArtifact, place: RuntimePlace.default('own') }),
  before: z.strictObject({ files: z.array(FileImage) }),
  output: z.strictObject({ folder: z.string() }),
  async check({ host, input }) {
    const folder = runtimePaths[input.place].cniBin;
    const note = noteIn(folder);
    const missing: string[] = [];
    for (const name of plugins) if ((await host.files.stat(`${folder}/${name}`))?.mode !== 0o755) missing.push(name);
    const same = (await host.files.read(note)) === `${input.archive.blob.sha256}\n`;
    if (missing.length === 0 && same) return { state: 'satisfied', output: { folder } };
    const files: FileImage[] = [];
    for (const path of [...plugins.map((name) => `${folder}/${name}`), note]) files.push(await host.files.image(path));
    return { state: 'unsatisfied', reason: missing.length > 0 ? `not there: ${missing.join(', ')}` : 'they are of another version', before: { files } };
  },
  async apply({ host, input }) {
    const folder = runtimePaths[input.place].cniBin;
    await host.files.unpack(input.archive, Object.fromEntries(plugins.map((name) => [name, `${folder}/${name}`])), { mode: 0o755 });
    await host.files.write(noteIn(folder), `${input.archive.blob.sha256}\n`);
  },
  async undo({ host, before }) {
    for (const image of [...before.files].reverse()) await host.files.restore(image);
  },
}); // prettier-ignore
