import { FileArtifact } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage } from '../ports/host';
import { must } from '../programs';
import { mountPaths } from './storage-paths';

const path = mountPaths.binary;

export const juicefsInstall = defineTask({
  name: 'juicefs.install', version: 1, layer: 'native', timeout: '3m', attempts: 3,
  title: 'JuiceFS is installed',
  input: z.strictObject({ artifact: FileArtifact }),
  before: z.strictObject({ file: FileImage }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const [sha256, stat] = [await host.files.sha256(path), await host.files.stat(path)];
    if (sha256 === input.artifact.blob.sha256 && stat?.mode === 0o755) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: sha256 === null ? 'it is not installed' : 'it is another version', before: { file: await host.files.image(path) } };
  },
  async apply({ host, input }) {
    await host.files.install(input.artifact, path, { mode: 0o755 });
  },
  async verify({ host }) {
    await must(host, [path, 'version'], { timeoutMs: 30_000, remedy: 'the artifact does not run on this machine: see its processor and kernel' });
  },
  async undo({ host, before }) {
    await host.files.restore(before.file);
  },
}); // prettier-ignore
