import { z } from 'zod';
import type { Host } from '../ports/host';
import { removeClusterRules, rulesBefore } from './node-rules';
import { runtimePaths } from '../runtime-place';
import { FolderBefore, folderBefore, restoreFolder } from './own-folder';

/** Folders that kubelet, the CNI plugins and flannel fill while pods run. */
const folders = [
  '/var/lib/kubelet', '/var/lib/cni', '/var/lib/flannel', '/var/log/pods', '/var/log/containers', '/etc/cni/net.d', '/run/flannel', '/run/kubernetes',
  '/usr/libexec/kubernetes',
] as const; // prettier-ignore
/** Made, empty, because pods of the control plane and of kube-proxy mount them; whatever has been put there since is not ours. Inner ones first. */
const mountPoints = [
  '/etc/ca-certificates', '/usr/share/ca-certificates', '/usr/local/share/ca-certificates', '/etc/ssl/certs', '/etc/ssl', '/lib/modules',
] as const; // prettier-ignore
/** Where the names of network namespaces are; the runtime makes it with its first pod. */
const netns = '/run/netns';
/** What kubelet and kube-proxy set by themselves when they start. */
const sysctls = [
  'vm.overcommit_memory', 'vm.panic_on_oom', 'kernel.panic', 'kernel.panic_on_oops', 'kernel.keys.root_maxkeys', 'kernel.keys.root_maxbytes',
  'net.ipv4.conf.all.route_localnet', 'net.netfilter.nf_conntrack_max', 'net.netfilter.nf_conntrack_tcp_timeout_established',
  'net.netfilter.nf_conntrack_tcp_timeout_close_wait', 'net.netfilter.nf_conntrack_tcp_be_liberal',
] as const; // prettier-ignore
/** Interfaces that only a cluster's network makes. */
const links = ['flannel.1', 'cni0', 'kube-ipvs0'] as const;

export const NodeNetworkBefore = z.strictObject({
  folders: z.record(z.string(), FolderBefore),
  links: z.array(z.string()),
  tables: z.array(z.string()), // "ip filter"
  chains: z.array(z.string()).optional(), // "ip filter INPUT"
  sysctls: z.record(z.string(), z.string()),
  absent: z.array(z.string()).default([]), // mount points of pods that were not there
  namespaces: z.boolean().default(true), // whether there was a folder of network namespaces; older installs did not look
});
export type NodeNetworkBefore = z.infer<typeof NodeNetworkBefore>;

/** `more`: folders that a distribution of its own fills besides. */
export async function nodeNetworkBefore(host: Host, more: readonly string[] = []): Promise<NodeNetworkBefore> {
  const found: Record<string, FolderBefore> = {};
  const besides = (await host.units.state(runtimePaths.beside.unit)).load !== 'not-found'; // then net.d is others' alone
  for (const folder of [...folders.filter((f) => !besides || f !== runtimePaths.own.cniConf), ...more]) found[folder] = await folderBefore(host, folder);
  const absent: string[] = [];
  for (const path of mountPoints) if ((await host.files.stat(path)) === null) absent.push(path);
  const values: Record<string, string> = {};
  for (const key of sysctls) {
    const value = await host.kernel.sysctl(key);
    if (value !== null) values[key] = value;
  }
  return {
    folders: found,
    links: await host.network.links(),
    ...(await rulesBefore(host)),
    sysctls: values,
    absent,
    namespaces: (await host.files.stat(netns)) !== null,
  };
}

/** How often to look again for containers that were just being started when kubelet was stopped. */
const rounds = 5;

/** Ends every container of Kubernetes on this machine. kubelet must be stopped, or it starts them again. */
export async function endContainers(host: Host, log: (line: string) => void): Promise<void> {
  const p = (await host.units.state(runtimePaths.beside.unit)).load === 'not-found' ? runtimePaths.own : runtimePaths.beside;
  const program = p === runtimePaths.beside ? p.ctr : await host.programs.which('ctr');
  if ((await host.units.state(p.unit)).active !== 'active' || program === null) return;
  const ctr = [program, '--address', p.socket, '-n', 'k8s.io'] as const;
  const list = async (what: 'tasks' | 'containers'): Promise<string[]> =>
    (await host.programs.run([...ctr, what, 'list', '-q'])).stdout.split('\n').filter(Boolean);
  for (let round = 1, tasks = await list('tasks'); tasks.length > 0 && round <= rounds; round += 1, tasks = await list('tasks')) {
    log(`ending ${tasks.length} containers`);
    for (const id of tasks) await host.programs.run([...ctr, 'tasks', 'delete', '--force', id]); // one that ended meanwhile is fine
  }
  const containers = await list('containers');
  if (containers.length > 0) await host.programs.run([...ctr, 'containers', 'delete', ...containers]);
  await endPods(host, log);
}

/** Mounts of the pods' containers; those of other namespaces (Docker's, a person's) are not ours to touch. */
const ofPods = /^\/run\/(strata\/|k3s\/)?containerd\/.*(\/k8s\.io\/.*\/rootfs|\/sandboxes\/.*\/shm)$/;

/** What stays of pods when their containers are gone: the slices that kubelet made, with every process left in them, and mounts of the runtime. */
export async function endPods(host: Host, log: (line: string) => void = () => undefined): Promise<void> {
  if ((await host.units.state('kubepods.slice')).active === 'active') await host.units.stop('kubepods.slice'); // and all slices below it
  const mounts = (await host.mounts.list()).map((m) => m.path).filter((path) => ofPods.test(path));
  for (const path of mounts.reverse())
    try {
      await host.mounts.unmount(path);
    } catch (error) {
      // a container that was half made when kubelet went: nothing of it is to be kept
      log(`${path} is still in use; detached (${(error as Error).message})`);
      await host.mounts.unmount(path, { detach: true });
    }
}

/** Takes back what pods and their network left on the node: network namespaces, interfaces, rules, folders, kernel settings. */
export async function restoreNodeNetwork(host: Host, before: NodeNetworkBefore): Promise<void> {
  await removeNamespaces(host, before.namespaces);
  const present = await host.network.links();
  for (const link of links) if (present.includes(link) && !before.links.includes(link)) await host.network.deleteLink(link);
  await removeClusterRules(host, before);
  for (const [folder, was] of Object.entries(before.folders)) await restoreFolder(host, folder, was);
  for (const path of before.absent) {
    const isEmpty = (await host.files.stat(path))?.kind === 'directory' && (await host.files.list(path)).length === 0;
    if (isEmpty) await host.files.remove(path, { recursive: true });
  }
  for (const [key, was] of Object.entries(before.sysctls)) {
    const now = await host.kernel.sysctl(key);
    if (now !== null && now !== was) await host.kernel.setSysctl(key, was);
  }
}

/** The namespaces of pods go; the folder too, if pods brought it and nobody else uses it. */
async function removeNamespaces(host: Host, folderWasThere: boolean): Promise<void> {
  if ((await host.files.stat(netns)) === null) return;
  for (const name of await host.files.list(netns)) if (name.startsWith('cni-')) await host.programs.run(['ip', 'netns', 'delete', name]);
  if (folderWasThere || (await host.files.list(netns)).length > 0) return;
  if ((await host.mounts.list()).some((m) => m.path === netns)) await host.mounts.unmount(netns); // `ip netns` binds it onto itself
  await host.files.remove(netns);
}
