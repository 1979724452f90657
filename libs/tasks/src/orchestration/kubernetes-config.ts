import { z } from 'zod';
import { defineTask } from '../define-task';
import { ControlPlaneSettings, initConfiguration, KubeletConstraints, kubeletPatch, NodeRegistration, resolverText } from './kubeadm-config';
import { kubernetesPaths as paths } from './kubernetes-paths';
import { FolderBefore, folderBefore, restoreFolder } from './own-folder';
import { differing, writeAll, type WrittenFile } from './written-files';

const Input = z.strictObject({ node: NodeRegistration, kubelet: KubeletConstraints, control: ControlPlaneSettings.optional() });
const files = (input: z.infer<typeof Input>): WrittenFile[] => [
  { path: paths.kubeletPatch, content: kubeletPatch(input.kubelet) },
  ...(typeof input.kubelet.resolver === 'object' ? [{ path: paths.resolver, content: resolverText(input.kubelet.resolver) }] : []),
  ...(input.control ? [{ path: paths.config, content: initConfiguration(input.node, input.control), mode: 0o600 }] : []),
];

/** The first task that writes below /etc/kubernetes, so the last one to be taken back: it knows whether that folder was there. */
export const kubernetesConfig = defineTask({
  name: 'kubernetes.config', version: 1, layer: 'orchestration', timeout: '1m', attempts: 3,
  title: 'Kubeadm knows what this node is to be',
  input: Input,
  before: FolderBefore,
  output: z.strictObject({}),
  async check({ host, input }) {
    const words = await differing(host, files(input));
    if (words === null) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: words, before: await folderBefore(host, paths.folder) };
  },
  async apply({ host, input }) {
    await host.files.mkdir(paths.manifests);
    await writeAll(host, files(input));
  },
  async undo({ host, before }) {
    await restoreFolder(host, paths.folder, before);
  },
}); // prettier-ignore
