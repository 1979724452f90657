import { FileArtifact } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { binaryFolder } from './kubernetes-paths';
import { FileImages, imagesOf, restoreAll } from './written-files';

/** kubectl goes only where people work with the cluster: the control plane. */
const Input = z.strictObject({ kubelet: FileArtifact, kubeadm: FileArtifact, kubectl: FileArtifact.optional() });
const wanted = (input: z.infer<typeof Input>): { path: string; artifact: FileArtifact }[] =>
  [input.kubelet, input.kubeadm, ...(input.kubectl ? [input.kubectl] : [])].map((artifact) => ({ path: `${binaryFolder}/${artifact.name}`, artifact }));

export const kubernetesBinaries = defineTask({
  name: 'kubernetes.binaries', version: 1, layer: 'orchestration', timeout: '2m', attempts: 3,
  title: 'The programs of Kubernetes are installed',
  input: Input,
  before: FileImages,
  output: z.strictObject({}),
  async check({ host, input }) {
    const stale: string[] = [];
    for (const { path, artifact } of wanted(input)) if ((await host.files.sha256(path)) !== artifact.blob.sha256) stale.push(`${path} is not ${artifact.version}`);
    if (stale.length === 0) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: stale.join(', '), before: await imagesOf(host, wanted(input).map((w) => w.path)) };
  },
  async apply({ host, input, progress }) {
    const all = wanted(input);
    for (const [i, { path, artifact }] of all.entries()) {
      progress(i / all.length, artifact.name);
      await host.files.install(artifact, path, { mode: 0o755 });
    }
  },
  async undo({ host, before }) {
    await restoreAll(host, before);
  },
}); // prettier-ignore
