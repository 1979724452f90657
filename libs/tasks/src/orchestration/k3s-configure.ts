import { z } from 'zod';
import { defineTask } from '../define-task';
import { resolverText } from './kubeadm-config';
import { K3sSettings, k3sConfig, k3sPaths as paths } from './k3s-config';
import { k3sOutsideFiles, k3sOutsidePaths, leftK3sOutside } from './k3s-outside';
import { FolderBefore, folderBefore, restoreFolder } from './own-folder';
import { differing, FileImages, imagesOf, restoreAll, writeAll, type WrittenFile } from './written-files';

const files = (settings: K3sSettings): WrittenFile[] => [
  { path: paths.config, content: k3sConfig(settings), mode: 0o600 },
  ...(typeof settings.kubelet.resolver === 'object' ? [{ path: paths.resolver, content: resolverText(settings.kubelet.resolver) }] : []),
  ...k3sOutsideFiles(settings.outside),
];

export const k3sConfigure = defineTask({
  name: 'k3s.config', version: 1, layer: 'orchestration', timeout: '1m', attempts: 3,
  title: 'K3s knows what this node is to be',
  input: K3sSettings,
  before: FolderBefore.extend({ images: FileImages.optional() }), // images: the machine's owner may have named mirrors already
  output: z.strictObject({}),
  async check({ host, input }) {
    const [left] = await leftK3sOutside(host, input.outside);
    const words = (await differing(host, files(input))) ?? (left === undefined ? null : `${left} is not in the spec any more`);
    if (words === null) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: words, before: { ...(await folderBefore(host, paths.etc)), images: await imagesOf(host, Object.values(k3sOutsidePaths)) } };
  },
  async apply({ host, input }) {
    await writeAll(host, files(input));
    for (const path of await leftK3sOutside(host, input.outside)) await host.files.remove(path);
  },
  async undo({ host, before }) {
    if (before.images) await restoreAll(host, before.images);
    await restoreFolder(host, paths.etc, before);
  },
}); // prettier-ignore
