import { AbsolutePath, type Facts, type Finding, Role, usableMemory } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker, gib, warning } from './findings';

const GiB = 2 ** 30;
/** Below `least` an install fails or dies later; below `good` it is tight. Measured: control plane 721 MB, worker 79 MB, without pods. */
const memory = { 'control-plane': { least: 1.2 * GiB, good: 2 * GiB }, worker: { least: 0.6 * GiB, good: 1 * GiB } } as const;
const disk = { least: 3 * GiB, good: 10 * GiB, inodes: 50_000 };

/** Memory (the smaller of the machine's and its cgroup's), processors, disk space, and how long a small write takes to be safe. */
export const precheckResources = definePrecheck({
  name: 'precheck.resources', version: 1,
  title: 'Memory, processors and disk suffice',
  input: z.strictObject({ role: Role, dataPaths: z.array(AbsolutePath).default(['/var/lib']) }),
  async look({ host, input }) {
    const f = await host.facts('memory', 'cpus', 'disks');
    const found: Finding[] = [];
    const [mem, want] = [usableMemory(f), memory[input.role]];
    const limited = f.memory.limit !== null ? ` (its cgroup's limit; the machine has ${gib(f.memory.total)})` : '';
    if (mem < want.least) found.push(blocker('memory.low', `${gib(mem)} of memory${limited}; a ${input.role} needs ${gib(want.least)}`, 'give this machine more memory, or another role'));
    else if (mem < want.good) found.push(warning('memory.tight', `${gib(mem)} of memory${limited}; ${gib(want.good)} are better for a ${input.role}`, 'give this machine more memory if pods are killed'));
    if (f.cpus < 2 && input.role === 'control-plane') found.push(blocker('cpu.low', 'one processor; a control-plane node needs two', 'give this machine another processor, or another role'));
    for (const path of input.dataPaths) found.push(...space(f, path, await host.mounts.space(path)));
    // first contact over SSH writes nothing, so only the agent can measure this
    const latency = await host.mounts.syncLatency(input.dataPaths[0] ?? '/var/lib', 7).catch(() => null);
    if (latency !== null && latency > 40 && input.role === 'control-plane')
      found.push(warning('disk.slow', `a small write takes ${Math.round(latency)} ms to be safe on disk; etcd wants less than 10 ms`, 'put /var/lib on a faster disk (SSD), or expect a slow or restless cluster'));
    return found;
  },
}); // prettier-ignore

function space(f: Pick<Facts, 'disks'>, path: string, s: { free: number; inodesFree: number; size: number }): Finding[] {
  const found: Finding[] = [];
  if (s.free < disk.least)
    found.push(blocker('disk.full', `${gib(s.free)} are free for ${path}; at least ${gib(disk.least)} are needed`, `free space on the disk of ${path}`));
  else if (s.free < disk.good)
    found.push(
      warning(
        'disk.tight',
        `${gib(s.free)} are free for ${path}; ${gib(disk.good)} are better`,
        `free space on the disk of ${path}, or images will be collected early`,
      ),
    );
  const counts = f.disks.some((d) => d.inodesFree > 0);
  if (counts && s.inodesFree > 0 && s.inodesFree < disk.inodes)
    found.push(blocker('disk.inodes', `only ${s.inodesFree} inodes are free for ${path}`, `delete small files on the disk of ${path}`));
  return found;
}
