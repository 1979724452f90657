import { ArchiveArtifact } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { TaskError } from '../task-error';
import { packagesFolder } from './outside-files';

const index = `${packagesFolder}/Packages`;
/** Which archive the packages came from: written when all of them are there. */
const note = `${packagesFolder}/.strata`;
const noted = (archive: ArchiveArtifact): string => `${archive.blob.sha256}\n`;

/** The names of the files that a flat repository's list has. @throws TaskError for one that is no plain name of a package */
function filesIn(list: string): string[] {
  const names = [...list.matchAll(/^Filename: \.\/(.*)$/gm)].map((m) => m[1] ?? '');
  const odd = names.find((name) => !/^[a-z0-9][A-Za-z0-9+._-]*\.deb$/.test(name));
  if (odd === undefined && names.length > 0) return names;
  throw new TaskError('packages-source', odd === undefined ? 'the archive of packages lists none' : `the archive of packages has a file named ${JSON.stringify(odd)}`, {
    remedy: 'have the bundle file made anew (strata bundle create) and push it',
  });
} // prettier-ignore

/** Where packages come from the server: as a flat repository in a folder, which `outside.configure` lets the package manager read in place of its own sources. */
export const packagesSource = defineTask({
  name: 'packages.source', version: 1, layer: 'native', timeout: '10m', attempts: 3,
  title: 'The packages that the server gives are on the machine',
  input: z.strictObject({ archive: ArchiveArtifact }),
  before: z.strictObject({ there: z.boolean() }), // whether the folder was there
  output: z.strictObject({}),
  async check({ host, input }) {
    if ((await host.files.read(note)) === noted(input.archive)) return { state: 'satisfied', output: {} };
    const there = (await host.files.stat(packagesFolder)) !== null;
    return { state: 'unsatisfied', reason: there ? 'they are of another bundle file' : 'they are not there', before: { there } };
  },
  async apply({ host, input, log }) {
    await host.files.remove(note);
    await host.files.unpack(input.archive, { Packages: index }, { mode: 0o644 });
    const names = filesIn((await host.files.read(index)) ?? '');
    for (const old of await host.files.list(packagesFolder)) if (old.endsWith('.deb') && !names.includes(old)) await host.files.remove(`${packagesFolder}/${old}`);
    await host.files.unpack(input.archive, Object.fromEntries(names.map((name) => [name, `${packagesFolder}/${name}`])), { mode: 0o644 });
    await host.files.write(note, noted(input.archive));
    log(`${names.length} packages of ${input.archive.name} ${input.archive.version}`);
  },
  async undo({ host, before }) {
    if (!before.there) await host.files.remove(packagesFolder, { recursive: true });
  },
}); // prettier-ignore
