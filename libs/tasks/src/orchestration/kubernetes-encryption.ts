import { z } from 'zod';
import { defineTask } from '../define-task';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { kubernetesPaths as paths } from './kubernetes-paths';
import { toYaml } from './yaml';

/** base64 of hexadecimal digits. */
const base64OfHex = (hex: string): string => btoa((hex.match(/../g) ?? []).map((pair) => String.fromCharCode(parseInt(pair, 16))).join(''));
const configuration = (key: string): string =>
  toYaml({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'EncryptionConfiguration',
    resources: [{ resources: ['secrets'], providers: [{ secretbox: { keys: [{ name: 'key1', secret: key }] } }, { identity: {} }] }],
  });

/** Secrets are encrypted in etcd with a key that never leaves the control plane. It is made once: a lost key is lost data. */
export const kubernetesEncryption = defineTask({
  name: 'kubernetes.encryption', version: 1, layer: 'orchestration', timeout: '1m', attempts: 3,
  title: 'Secrets will be encrypted in etcd',
  input: z.strictObject({}),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host }) {
    const stat = await host.files.stat(paths.encryption);
    if (stat?.kind === 'file' && stat.size > 0 && stat.mode === 0o600) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: stat === null ? 'there is no key yet' : `${paths.encryption} has mode ${stat.mode.toString(8)}`, before: {} };
  },
  async apply({ host }) {
    const found = await host.files.read(paths.encryption);
    if (found !== null && found !== '') return host.files.write(paths.encryption, found, { mode: 0o600 });
    const { stdout } = await must(host, ['kubeadm', 'certs', 'certificate-key']); // 32 random bytes from kubeadm's own generator
    const hex = stdout.trim();
    if (!/^[0-9a-f]{64}$/.test(hex))
      throw new TaskError('program-failed', '`kubeadm certs certificate-key` did not print a key of 64 hexadecimal digits', {
        remedy: 'check that /usr/local/bin/kubeadm is ours, then retry the step',
      });
    await host.files.write(paths.encryption, configuration(base64OfHex(hex)), { mode: 0o600 });
  },
  async undo({ host }) {
    await host.files.remove(paths.encryption);
  },
}); // prettier-ignore
