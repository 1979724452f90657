import { type Check, usableMemory } from '@strata/model';
import { must } from '../programs';
import { Checked, type Looking, lastWords } from './check';

const MiB = 2 ** 20;
const size = (bytes: number): string => (bytes < 1024 * MiB ? `${Math.round(bytes / MiB)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`);
/** Where Strata, the runtime and Kubernetes keep what they cannot work without. */
const dataPaths = ['/', '/var/lib/strata', '/var/lib/containerd', '/var/lib/kubelet', '/var/lib/etcd', '/var/log', '/etc'];
/** Below this a file system is as good as full: what writes there begins to fail. */
export const full = { bytes: 64 * MiB, inodes: 500 };
const tight = 0.1;

/** Free space and inodes of every file system that holds data of the cluster. */
export async function disk({ host, where }: Looking): Promise<Check> {
  const check = new Checked('node.disk', where, 'the disks have space');
  const mounts = (await host.mounts.list()).map((m) => m.path).sort((a, b) => b.length - a.length);
  const mountOf = (path: string): string => mounts.find((m) => m === '/' || path === m || path.startsWith(`${m}/`)) ?? '/';
  const here: string[] = [];
  for (const path of dataPaths) if ((await host.files.stat(path)) !== null) here.push(path);
  const by = new Map<string, string[]>();
  for (const path of here) by.set(mountOf(path), [...(by.get(mountOf(path)) ?? []), path]);
  const bad: string[] = [];
  const low: string[] = [];
  for (const [mount, paths] of by) {
    const s = await host.mounts.space(mount);
    const holds = `${mount} (it holds ${paths.join(', ')})`;
    if (s.size > 0 && s.free < full.bytes) bad.push(`${size(s.free)} of ${size(s.size)} are left on ${holds}`);
    else if (s.inodesFree > 0 && s.inodesFree < full.inodes) bad.push(`only ${s.inodesFree} inodes are left on ${holds}`);
    else if (s.size > 0 && s.free < s.size * tight) low.push(`${size(s.free)} of ${size(s.size)} are left on ${holds}`);
  }
  const remedy = 'free space there (`du -xh --max-depth=2 MOUNT | sort -h | tail`); what waits for it goes on by itself';
  if (bad.length > 0) return check.broken({ cause: `the disk is full: ${bad.join('; ')}`, remedy });
  if (low.length > 0) return check.warning({ cause: `the disk is nearly full: ${low.join('; ')}; kubelet begins to evict pods`, remedy });
  return check.ok();
}

export async function memory({ host, where }: Looking): Promise<Check> {
  const check = new Checked('node.memory', where, 'there is memory left');
  const f = await host.facts('memory');
  const { available } = f.memory;
  if (available > 0 && available < 48 * MiB)
    return check.broken({ cause: `${size(available)} of ${size(usableMemory(f))} are available`, remedy: 'end what takes it (`ps aux --sort=-rss | head`), or give this machine more' });
  if (available > 0 && available < 128 * MiB)
    return check.warning({ cause: `${size(available)} of ${size(usableMemory(f))} are available`, remedy: 'see `ps aux --sort=-rss | head`; pods may be killed' });
  return check.ok();
} // prettier-ignore

const words = (ms: number): string => {
  const s = Math.abs(ms) / 1000;
  return s < 120 ? `${s.toFixed(0)} s` : s < 7200 ? `${Math.round(s / 60)} minutes` : `${(s / 3600).toFixed(1)} hours`;
};
/** The machine's clock against the control server's: certificates and leases do not bear more than a minute. */
export async function clock({ host, where, serverNow }: Looking): Promise<Check> {
  const check = new Checked('node.clock', where, "the clock agrees with the control server's");
  const wallMs = Number((await must(host, ['date', '+%s.%N'])).stdout) * 1000;
  const server = serverNow();
  if (server === null) return check.ok('there is no server to compare with');
  const skew = wallMs - server;
  const found = {
    cause: `the clock is ${words(skew)} ${skew > 0 ? 'ahead of' : 'behind'} the control server's: certificates, tokens and leases are judged wrongly`,
    remedy: 'set the clock: `chronyc makestep`, or `timedatectl set-time`; in a container set the clock of its host',
  };
  if (Math.abs(skew) > 60_000) return check.broken(found);
  return Math.abs(skew) > 10_000 ? check.warning(found) : check.ok();
}

/** Our own daemon, as systemd sees it. */
export async function agent({ host, where }: Looking): Promise<Check> {
  const unit = 'stratad.service';
  const check = new Checked('node.agent', where, 'the agent runs');
  if ((await host.files.stat('/etc/strata/agent.yaml')) === null)
    return check.broken({ cause: '/etc/strata/agent.yaml is missing: this machine is no node, or its identity was deleted', remedy: 'join it (again): strata node join-command NAME, run there' }); // prettier-ignore
  const state = await host.units.state(unit);
  if (state.load === 'masked' || state.enabled === 'masked')
    return check.broken({ cause: `${unit} is masked: nothing may start the agent`, remedy: `systemctl unmask ${unit} && systemctl enable --now ${unit}` });
  if (state.load === 'not-found')
    return check.broken({ cause: `there is no ${unit}`, remedy: 'join this machine again: strata node join-command NAME, run there' });
  if (state.active !== 'active')
    return check.broken({ cause: `${unit} is ${state.active}`, remedy: `systemctl enable --now ${unit}; what it says: journalctl -u stratad -n 50`, evidence: await lastWords(host, unit) }); // prettier-ignore
  if (state.enabled !== 'enabled')
    return check.warning({ cause: `${unit} runs but is ${state.enabled}: it does not come back after a boot`, remedy: `systemctl enable ${unit}` });
  return check.ok();
}
