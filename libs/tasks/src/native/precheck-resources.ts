import { AbsolutePath, type Facts, type Finding, Role, usableMemory } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker, gib, warning } from './findings';

const GiB = 2 ** 30;
/** Below `least` an install fails or dies later; below `good` it is tight. Measured: control plane 721 MB, worker 79 MB, without pods. */
const memory = { 'control-plane': { least: 1.2 * GiB, good: 2 * GiB }, worker: { least: 0.6 * GiB, good: 1 * GiB } } as const;
const inodes = 50_000;

/** Memory (the smaller of the machine's and its cgroup's), processors, disk space, and how long a small write takes to be safe. */
export const precheckResources = definePrecheck({
  name: 'precheck.resources', version: 1,
  title: 'Memory, processors and disk suffice',
  input: z.strictObject({ role: Role, dataPaths: z.array(AbsolutePath).default(['/var/lib']) }),
  async look({ host, input }) {
    const f = await host.facts('memory', 'cpus', 'disks', 'volumeGroups');
    const found: Finding[] = [];
    const [mem, want] = [usableMemory(f), memory[input.role]];
    const limited = f.memory.limit !== null ? ` (its cgroup's limit; the machine has ${gib(f.memory.total)})` : '';
    if (mem < want.least) found.push(blocker('memory.low', `${gib(mem)} of memory${limited}; a ${input.role} needs ${gib(want.least)}`, 'give this machine more memory, or another role'));
    else if (mem < want.good) found.push(warning('memory.tight', `${gib(mem)} of memory${limited}; ${gib(want.good)} are better for a ${input.role}`, 'give this machine more memory if pods are killed'));
    if (f.cpus < 2 && input.role === 'control-plane') found.push(blocker('cpu.low', 'one processor; a control-plane node needs two', 'give this machine another processor, or another role'));
    const mounted = await host.mounts.list();
    for (const [mount, paths] of byMount(f.disks, input.dataPaths))
      found.push(...space(f, { mount, paths, device: mounted.findLast((m) => m.path === mount)?.device }, await host.mounts.space(mount)));
    // first contact over SSH writes nothing, so only the agent can measure this
    const latency = await host.mounts.syncLatency('/var/lib', 7).catch(() => null);
    if (latency !== null && latency > 40 && input.role === 'control-plane')
      found.push(warning('disk.slow', `a small write takes ${Math.round(latency)} ms to be safe on disk; etcd wants less than 10 ms`, 'put /var/lib on a faster disk (SSD), or expect a slow or restless cluster'));
    return found;
  },
}); // prettier-ignore

/** What a mount needs for what it will hold: the greatest of its paths' needs. The first that fits a path counts. */
const needs: readonly { of: RegExp; least: number; good: number }[] = [
  { of: /\/(kubelet|etcd)$/, least: 0.5 * GiB, good: 2 * GiB },
  { of: /^\/var\/lib\/strata$/, least: 1 * GiB, good: 2 * GiB },
  { of: /^\/var\/lib$|\/(containerd|rancher)$/, least: 3 * GiB, good: 10 * GiB },
  { of: /./, least: 0.1 * GiB, good: 1 * GiB }, // data of the operator's own
];

/** The paths that will hold data, by the mount that each is on: a mount is named once, with all that is on it. */
function byMount(disks: Facts['disks'], paths: readonly string[]): Map<string, string[]> {
  const mounts = disks.map((d) => d.mount).sort((a, b) => b.length - a.length);
  const found = new Map<string, string[]>();
  for (const path of paths) {
    const mount = mounts.find((m) => path === m || path.startsWith(m === '/' ? '/' : `${m}/`)) ?? '/';
    found.set(mount, [...(found.get(mount) ?? []), path]);
  }
  return found;
}
/** Where more space could come from, if LVM has some. */
function growth(f: Pick<Facts, 'volumeGroups'>, device: string | undefined): string {
  const spare = (f.volumeGroups ?? []).filter((g) => g.free >= GiB).sort((a, b) => b.free - a.free)[0];
  if (!spare) return '';
  const from = `the volume group ${spare.name} has ${gib(spare.free)} free`;
  return device?.startsWith('/dev/mapper/')
    ? `: ${from} (\`lvextend -r -L +${Math.floor(Math.min(spare.free / GiB, 20))}G ${device}\`)`
    : `: ${from}, for a volume of its own`;
}

function space(f: Pick<Facts, 'disks' | 'volumeGroups'>, at: { mount: string; paths: string[]; device: string | undefined }, s: { free: number; inodesFree: number }): Finding[] {
  const wants = at.paths.map((path) => needs.find((n) => n.of.test(path)) ?? { least: 0, good: 0 });
  const [least, good] = [Math.max(...wants.map((w) => w.least)), Math.max(...wants.map((w) => w.good))];
  const what = `${gib(s.free)} are free on ${at.mount}, for ${at.paths.join(', ')}`;
  const more = growth(f, at.device);
  const found: Finding[] = [];
  if (s.free < least) found.push(blocker('disk.full', `${what}; at least ${gib(least)} are needed`, `free space on ${at.mount}, or make it larger${more}`));
  else if (s.free < good) found.push(warning('disk.tight', `${what}; ${gib(good)} are better`, `free space on ${at.mount}, or make it larger, or images will be collected early${more}`));
  const counts = f.disks.some((d) => d.inodesFree > 0);
  if (counts && s.inodesFree > 0 && s.inodesFree < inodes)
    found.push(blocker('disk.inodes', `only ${s.inodesFree} inodes are free on ${at.mount}, for ${at.paths.join(', ')}`, `delete small files on ${at.mount}`));
  return found;
} // prettier-ignore
