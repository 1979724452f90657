import { HostOrIp } from '@strata/model';
import { z } from 'zod';
import { defineTask, secretInput } from '../define-task';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { discoveryConfig, joinConfiguration, kubeletConfig, NodeRegistration } from './kubeadm-config';
import { kubeletState } from './kubelet-state';
import { kubernetesPaths as paths } from './kubernetes-paths';
import { missing } from './written-files';
import { endContainers, NodeNetworkBefore, nodeNetworkBefore, restoreNodeNetwork } from './node-network';

/** Files that live only while the node joins; two of them hold the token. */
const passing = [paths.join, paths.discovery, paths.bootstrapConf];

/**
 * kubelet of a worker: it asks the cluster for its certificate with a token that only this node has; the server approves it
 * (`kubernetes.admit`), and then the token is nowhere on this machine any more.
 */
export const kubernetesJoin = defineTask({
  name: 'kubernetes.join', version: 1, layer: 'orchestration', timeout: '6m', attempts: 4,
  title: 'The node joins the cluster',
  input: z.strictObject({ token: secretInput(), endpoint: HostOrIp, caPem: z.string().regex(/^-----BEGIN CERTIFICATE-----\n/), node: NodeRegistration }),
  before: NodeNetworkBefore,
  output: z.strictObject({}),
  async check({ host, input }) {
    const ca = await host.files.read(paths.caCert);
    const joined = (await host.files.stat(paths.kubeletClient)) !== null && (await host.files.stat(paths.kubeletConf)) !== null;
    const words = !joined ? 'the node has no certificate of the cluster yet' : ca?.trim() !== input.caPem.trim() ? 'the node belongs to another cluster' : await kubeletState(host);
    if (words === null && (await missing(host, passing)).length === passing.length) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: words ?? 'the join token is still on the disk', before: await nodeNetworkBefore(host) };
  },
  async apply({ host, input, secret, clock, signal, progress, log }) {
    const ca = await host.files.read(paths.caCert);
    if (ca !== null && ca.trim() !== input.caPem.trim())
      throw new TaskError('foreign-cluster', `this machine is a node of another cluster: ${paths.caCert} is another CA`, {
        remedy: 'take it out of that cluster (`strata node remove` there, or `kubeadm reset` on the machine), then retry the step',
      });
    const certified = async (): Promise<boolean> => (await host.files.stat(paths.kubeletConf)) !== null && (await host.files.stat(paths.kubeletClient)) !== null;
    try {
      // a node that lost the file goes on with the certificate that it has: it cannot ask for another while it is in the cluster
      if (ca !== null && (await host.files.stat(paths.kubeletConf)) === null && (await host.files.stat(paths.kubeletClient)) !== null)
        await host.files.write(paths.kubeletConf, kubeletConfig(input.endpoint, input.caPem), { mode: 0o600 });
      if (!(await certified()) || (await kubeletState(host)) !== null) {
        if (await certified()) {
          // joined earlier, by an attempt that died before it could say so or with other settings
          if ((await host.files.stat(paths.kubeletConfig)) === null) await host.files.write(paths.kubeletConfig, ''); // kubeadm keeps a copy of the old one, and fails without
          await must(host, ['kubeadm', 'upgrade', 'node', 'phase', 'kubelet-config', '--patches', paths.patches], { timeoutMs: 90_000 });
          await host.units.restart('kubelet.service');
        } else {
          await host.files.write(paths.discovery, discoveryConfig(input.endpoint, input.caPem), { mode: 0o600 });
          await host.files.write(paths.join, joinConfiguration(input.node, secret(input.token)), { mode: 0o600 });
          progress(0.2, 'asks for its certificate');
          await must(host, ['kubeadm', 'join', 'phase', 'kubelet-start', '--config', paths.join], { durable: 'kubeadm-join', timeoutMs: 180_000 });
        }
        await host.files.write(paths.kubeletApplied, (await host.files.sha256(paths.kubeletPatch)) ?? '');
        const remedy = "see `journalctl -u kubelet` on the node and whether the server approved this node's certificate request, then retry the step";
        await until(clock, { what: "the node's certificate", timeoutMs: 150_000, everyMs: 200, signal, remedy }, async () => ((await certified()) ? true : null));
      }
    } catch (error) {
      for (const line of await host.units.log('kubelet.service', 8)) log(line);
      throw error;
    } finally {
      for (const path of passing) await host.files.remove(path);
    }
  },
  async undo({ host, before, log }) {
    await host.units.stop('kubelet.service');
    await endContainers(host, log);
    for (const path of [...passing, paths.kubeletConf, paths.caCert, paths.kubeletApplied]) await host.files.remove(path);
    await restoreNodeNetwork(host, before);
  },
}); // prettier-ignore
