import { type Evidence, evidenceLimits, newestPart } from '@strata/model';
import type { Host } from '../ports/host';
import type { Looking } from '../doctor';
import { lookAtNode } from '../doctor';

type Argv = readonly [string, ...string[]];
/** Programs that only show, none with a secret in what it prints. `ps` gives no arguments: they are other people's. */
const shown: readonly [string, Argv][] = [
  ['machine/uname.txt', ['uname', '-a']],
  ['machine/os-release.txt', ['cat', '/etc/os-release']],
  ['machine/uptime.txt', ['uptime']],
  ['machine/disks.txt', ['df', '-h', '-T']],
  ['machine/inodes.txt', ['df', '-i']],
  ['machine/memory.txt', ['free', '-m']],
  ['machine/processes.txt', ['ps', '-eo', 'pid,ppid,user,stat,rss,etime,comm']],
  ['machine/addresses.txt', ['ip', '-d', 'address']],
  ['machine/routes.txt', ['ip', 'route', 'show', 'table', 'all']],
  ['machine/listeners.txt', ['ss', '-tulnp']],
  ['machine/resolv.conf', ['cat', '/etc/resolv.conf']],
  ['machine/hosts', ['cat', '/etc/hosts']],
  ['machine/kernel.log', ['journalctl', '-k', '-q', '--no-pager', '-o', 'short-iso', '-n', '300']],
  ['units/all.txt', ['systemctl', 'list-units', '--all', '--no-pager', '--plain', '--no-legend']],
  ['units/failed.txt', ['systemctl', 'list-units', '--failed', '--no-pager', '--plain', '--no-legend']],
  ['runtime/version.txt', ['ctr', '--timeout', '5s', 'version']],
  ['runtime/containers.txt', ['ctr', '--timeout', '5s', '-n', 'k8s.io', 'containers', 'list']],
  ['runtime/tasks.txt', ['ctr', '--timeout', '5s', '-n', 'k8s.io', 'tasks', 'list']],
  ['runtime/images.txt', ['ctr', '--timeout', '5s', '-n', 'k8s.io', 'images', 'list', '-q']],
  ['versions/kubelet.txt', ['kubelet', '--version']],
  ['versions/containerd.txt', ['containerd', '--version']],
  ['files/kubernetes.txt', ['find', '/etc/kubernetes', '/var/lib/kubelet/pki', '/var/lib/kubelet/config.yaml', '-printf', '%M %u %s %TY-%Tm-%TdT%TH:%TM %p\\n']],
  ['files/strata.txt', ['find', '/etc/strata', '/var/lib/strata', '-maxdepth', '2', '-printf', '%M %u %s %TY-%Tm-%TdT%TH:%TM %p\\n']],
  ['files/etcd.txt', ['find', '/var/lib/etcd', '-maxdepth', '3', '-printf', '%M %u %s %TY-%Tm-%TdT%TH:%TM %p\\n']],
  ['settings/containerd.toml', ['cat', '/etc/containerd/config.toml']],
  ['settings/kubelet.yaml', ['cat', '/var/lib/kubelet/config.yaml']],
]; // prettier-ignore
const units = ['stratad', 'containerd', 'kubelet', 'k3s', 'k3s-agent', 'chrony', 'ssh', 'systemd-networkd'];
/** Of the pods only those of the cluster itself: what others write is theirs. */
const podFolders = /^kube-(system|flannel)_/;

/** What a node gives to a support archive, by an allow-list. Each is bounded; what cannot be had says why and stops no other. Not scrubbed yet. */
export async function nodeEvidence(l: Looking): Promise<Evidence[]> {
  const { host } = l;
  const json = async (path: string, look: () => Promise<unknown>): Promise<Evidence> => attempt(path, async () => JSON.stringify(await look(), null, 1));
  const all = await Promise.all([
    json('doctor.json', () => lookAtNode(l)),
    json('facts.json', () => host.facts()),
    ...shown.map(([path, argv]) => attempt(path, () => output(host, argv))),
    ...units.map((unit) => attempt(`units/${unit}.txt`, () => output(host, ['systemctl', 'status', '--no-pager', '-l', '-n', '0', `${unit}.service`], true))),
    ...units.map((unit) => attempt(`logs/${unit}.log`, () => output(host, ['journalctl', '-q', '--no-pager', '-o', 'short-iso', '-n', '1500', '-u', `${unit}.service`]))),
  ]);
  return bounded([...all, ...(await podLogs(host))]);
} // prettier-ignore

async function output(host: Host, argv: Argv, anyCode = false): Promise<string> {
  const ran = await host.programs.run(argv, { timeoutMs: 30_000 });
  if (ran.code !== 0 && !anyCode && ran.stdout === '') throw new Error(`\`${argv.join(' ')}\` ended with exit status ${ran.code}: ${ran.stderr.trim().split('\n').at(-1) ?? ''}`);
  return ran.stdout + (ran.stderr === '' ? '' : `\n${ran.stderr}`);
} // prettier-ignore

async function podLogs(host: Host): Promise<Evidence[]> {
  const root = '/var/log/pods';
  const found: Evidence[] = [];
  for (const folder of (await host.files.list(root)).filter((f) => podFolders.test(f)).slice(0, 30))
    for (const container of (await host.files.list(`${root}/${folder}`)).slice(0, 4)) {
      const logs = (await host.files.list(`${root}/${folder}/${container}`)).filter((f) => /^\d+\.log$/.test(f)).sort((a, b) => parseInt(a, 10) - parseInt(b, 10)); // prettier-ignore
      for (const log of logs.slice(-2))
        found.push(
          await attempt(`pods/${folder.replace(/_[0-9a-f-]{32,}$/, '')}/${container}/${log}`, () =>
            output(host, ['tail', '-n', '400', `${root}/${folder}/${container}/${log}`]),
          ),
        );
    }
  return found;
}

async function attempt(path: string, look: () => Promise<string>): Promise<Evidence> {
  try {
    const { text, cut } = newestPart(await look());
    return { path, text, ...(cut ? { cut } : {}) };
  } catch (error) {
    return { path, missing: error instanceof Error ? error.message.slice(0, 300) : String(error) };
  }
}
/** No more of a place than fits: what comes first counts most. */
export function bounded(all: readonly Evidence[]): Evidence[] {
  let left: number = evidenceLimits.place;
  return all.map((e) => {
    if (e.text === undefined) return e;
    if (e.text.length > left) return { path: e.path, missing: `left out: this place gave more than ${Math.round(evidenceLimits.place / 1e6)} MB already` };
    left -= e.text.length;
    return e;
  });
}
