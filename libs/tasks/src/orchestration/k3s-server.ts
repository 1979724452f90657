import { ClusterName, HostOrIp, Ipv4 } from '@strata/model';
import { z } from 'zod';
import { defineTask, sealed } from '../define-task';
import { TaskError } from '../task-error';
import type { Host } from '../ports/host';
import { until } from '../wait';
import { k3sPaths as paths } from './k3s-config';
import { K3sUnitBefore, k3sBefore, k3sState, startK3s, takeBackK3s, unitName } from './k3s-unit';
import { kubeconfigOf } from './kubeadm-config';

/** K3s answers 401 to a stranger once it serves: that is an answer. */
async function silent(host: Host, address: string): Promise<string | null> {
  const ca = await host.files.read(paths.caCert);
  if (ca === null) return 'K3s has not made its CA yet';
  const got = await host.network.get(`https://${address}:6443/readyz`, { timeoutMs: 3000, ca });
  if ((got?.status === 200 || got?.status === 401) && (await host.files.stat(paths.kubeconfig)) !== null) return null;
  return got === null ? `https://${address}:6443 does not answer` : `/readyz answers ${got.status}`;
}

/** K3s as the control plane. Its CA and the administrator's kubeconfig (sealed) go to the server. */
export const k3sServer = defineTask({
  name: 'k3s.server', version: 1, layer: 'orchestration', timeout: '6m', attempts: 3,
  title: 'K3s runs and its API answers',
  input: z.strictObject({ cluster: ClusterName, address: Ipv4, endpoint: HostOrIp }),
  before: K3sUnitBefore,
  output: z.strictObject({ kubeconfig: sealed(), caPem: z.string(), caHash: z.string() }),
  async check({ host, input }) {
    const words = (await k3sState(host, 'server')) ?? (await silent(host, input.address));
    if (words !== null) return { state: 'unsatisfied', reason: words, before: await k3sBefore(host, 'server') };
    const [kubeconfig, caPem] = [await host.files.read(paths.kubeconfig), await host.files.read(paths.caCert)];
    if (kubeconfig === null || caPem === null)
      throw new TaskError('missing-file', `${paths.kubeconfig} or ${paths.caCert} is gone`, { remedy: 'restart k3s.service: it writes them again', retry: true });
    return { state: 'satisfied', output: { kubeconfig: kubeconfigOf(kubeconfig, input), caPem, caHash: (await host.files.sha256(paths.caCert)) ?? '' } };
  },
  async apply({ host, input, clock, signal, progress }) {
    if ((await k3sState(host, 'server')) !== null) await startK3s(host, 'server');
    let last = '';
    const remedy = `see \`journalctl -u ${unitName('server')}\` on the node, then retry the step`;
    await until(clock, { what: 'the API server', timeoutMs: 300_000, everyMs: 250, signal, remedy, note: () => last }, async () => {
      const words = await silent(host, input.address);
      if (words !== null && words !== last) progress(null, (last = words));
      return words === null ? true : null;
    });
  },
  async undo({ host, before }) {
    await takeBackK3s(host, 'server', before);
  },
}); // prettier-ignore
