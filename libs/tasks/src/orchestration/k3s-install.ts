import { FileArtifact } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { k3sPaths as paths } from './k3s-config';
import { FileImage } from '../ports/host';
import { FolderBefore, folderBefore, restoreFolder } from './own-folder';

const Input = z.strictObject({ binary: FileArtifact, images: FileArtifact });
const wanted = (input: z.infer<typeof Input>): { artifact: FileArtifact; path: string; mode: number }[] => [
  { artifact: input.binary, path: paths.binary, mode: 0o755 },
  { artifact: input.images, path: paths.images, mode: 0o644 }, // K3s unpacks it itself when it starts
];

export const k3sInstall = defineTask({
  name: 'k3s.install', version: 1, layer: 'orchestration', timeout: '5m', attempts: 3,
  title: 'K3s and its images are on the node',
  input: Input,
  before: z.strictObject({ binary: FileImage, data: FolderBefore }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const stale: string[] = [];
    for (const { artifact, path } of wanted(input)) if ((await host.files.sha256(path)) !== artifact.blob.sha256) stale.push(`${path} is not ${artifact.version}`);
    if (stale.length === 0) return { state: 'satisfied', output: {} };
    const before = { binary: await host.files.image(paths.binary), data: await folderBefore(host, paths.data) };
    return { state: 'unsatisfied', reason: stale.join(', '), before };
  },
  async apply({ host, input }) {
    for (const { artifact, path, mode } of wanted(input)) await host.files.install(artifact, path, { mode });
  },
  async undo({ host, before }) {
    await restoreFolder(host, paths.data, before.data); // images, and all that K3s kept there
    await host.files.restore(before.binary);
  },
}); // prettier-ignore
