import { kernelVersion } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker, info, warning } from './findings';

/** Kernel features that containers and the pod network need. */
export const precheckKernel = definePrecheck({
  name: 'precheck.kernel', version: 1,
  title: 'The kernel can run containers and their network',
  input: z.strictObject({ backend: z.enum(['vxlan', 'host-gw']).default('vxlan') }),
  async look({ host, input }) {
    const f = await host.facts('kernel', 'kernelFeatures', 'cgroup');
    const [major, minor] = kernelVersion(f.kernel);
    const found = [];
    if (major < 4 || (major === 4 && minor < 19)) found.push(blocker('kernel.old', `kernel ${f.kernel} is older than 4.19`, 'install a newer kernel and reboot'));
    const needed: Record<string, string> = { overlay: 'container file systems', conntrack: 'services', ...(input.backend === 'vxlan' ? { vxlan: 'the pod network' } : {}) };
    for (const [feature, what] of Object.entries(needed))
      if (f.kernelFeatures[feature] === false) found.push(blocker(`kernel.no-${feature}`, `this kernel has no ${feature}, which ${what} need`, feature === 'vxlan' ? 'install a kernel with vxlan, or set `network.backend: host-gw`' : `install a kernel with ${feature}`));
    if (f.kernelFeatures.nftables === false) found.push(warning('kernel.no-nftables', 'this kernel has no nftables: iptables is used instead', 'nothing needs to be done'));
    if (f.kernelFeatures.br_netfilter === false) found.push(warning('kernel.no-br-netfilter', 'this kernel has no br_netfilter: pods of one node may miss service addresses', 'install a kernel with br_netfilter'));
    if (f.cgroup !== 'v2') found.push(info('kernel.cgroup-v1', `this machine uses cgroup ${f.cgroup}: kubelet is told to accept it`));
    return found;
  },
}); // prettier-ignore
