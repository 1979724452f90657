import { HostOrIp } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { must } from '../programs';
import { kubernetesPaths as paths } from './kubernetes-paths';
import { missing } from './written-files';

const made = [
  'ca.crt', 'ca.key', 'apiserver.crt', 'apiserver.key', 'apiserver-kubelet-client.crt', 'apiserver-kubelet-client.key', 'apiserver-etcd-client.crt',
  'apiserver-etcd-client.key', 'front-proxy-ca.crt', 'front-proxy-ca.key', 'front-proxy-client.crt', 'front-proxy-client.key', 'etcd/ca.crt', 'etcd/ca.key',
  'etcd/server.crt', 'etcd/server.key', 'etcd/peer.crt', 'etcd/peer.key', 'etcd/healthcheck-client.crt', 'etcd/healthcheck-client.key', 'sa.key', 'sa.pub',
].map((name) => `${paths.pki}/${name}`); // prettier-ignore

/**
 * The cluster's certificates. What is there is kept, the CA above all: kubeadm only makes what is missing.
 * `sans` are the names of kubeadm's configuration: when they change, the API server's certificate alone is made anew.
 */
export const kubernetesCerts = defineTask({
  name: 'kubernetes.certs', version: 1, layer: 'orchestration', timeout: '2m', attempts: 3,
  title: 'The cluster has its certificates',
  input: z.strictObject({ sans: z.array(HostOrIp) }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host, input }) {
    const absent = await missing(host, made);
    const sans = await host.files.read(paths.sansApplied);
    if (absent.length === 0 && sans === input.sans.join('\n')) return { state: 'satisfied', output: {} };
    const reason = absent.length === made.length ? 'no certificates yet' : absent.length > 0 ? `missing: ${absent.join(', ')}` : 'the names of the API server changed';
    return { state: 'unsatisfied', reason, before: {} };
  },
  async apply({ host, input }) {
    if ((await host.files.read(paths.sansApplied)) !== input.sans.join('\n')) {
      await host.files.remove(`${paths.pki}/apiserver.crt`);
      await host.files.remove(`${paths.pki}/apiserver.key`);
    }
    await must(host, ['kubeadm', 'init', 'phase', 'certs', 'all', '--config', paths.config], { durable: 'kubeadm-certs', timeoutMs: 90_000 });
    await host.files.write(paths.sansApplied, input.sans.join('\n'));
  },
  async undo({ host }) {
    await host.files.remove(paths.pki, { recursive: true });
    await host.files.remove(paths.sansApplied);
  },
}); // prettier-ignore
