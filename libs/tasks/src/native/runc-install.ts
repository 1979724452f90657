import { FileArtifact } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage } from '../ports/host';
import { must } from '../programs';
import { RuntimePlace, runtimePaths } from '../runtime-place';

export const runcInstall = defineTask({
  name: 'runc.install', version: 1, layer: 'native', timeout: '2m', attempts: 3,
  title: 'runc is installed',
  input: z.strictObject({ artifact: FileArtifact, place: RuntimePlace.default('own') }),
  before: z.strictObject({ file: FileImage }),
  output: z.strictObject({ path: z.string() }),
  async check({ host, input }) {
    const path = runtimePaths[input.place].runc;
    if (input.place === 'adopted') return { state: 'satisfied', output: { path: '' } }; // their containerd has its own
    const [sha256, stat] = [await host.files.sha256(path), await host.files.stat(path)];
    if (sha256 === input.artifact.blob.sha256 && stat?.mode === 0o755) return { state: 'satisfied', output: { path } };
    return { state: 'unsatisfied', reason: sha256 === null ? 'it is not installed' : 'it is another version', before: { file: await host.files.image(path) } };
  },
  async apply({ host, input }) {
    await host.files.install(input.artifact, runtimePaths[input.place].runc, { mode: 0o755 });
  },
  async verify({ host, input }) {
    await must(host, [runtimePaths[input.place].runc, '--version'], { timeoutMs: 20_000, remedy: 'the artifact does not run on this machine: see its processor and kernel' });
  },
  async undo({ host, before }) {
    await host.files.restore(before.file);
  },
}); // prettier-ignore
