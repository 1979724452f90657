// node bench/idle.ts [--seconds 600] [--home DIR] [--lab NAME] [--pid PID...]: what server and agents use while nothing happens.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { loadNow, useOf } from './measure/cpu.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    home: { type: 'string', default: '/var/lib/strata-server' },
    lab: { type: 'string', default: 'quickstart' },
    pid: { type: 'string', multiple: true, default: [] },
  },
});
const agentLimit = { anonMb: 60, percent: 0.5 };

/** The agents of a lab's nodes, and the processes of a control server's home with its Redis and Postgres (all its backends as one). */
function found(): { name: string; pids: number[] }[] {
  const groups = new Map<string, number[]>(values.pid.map((pid) => [`process ${pid}`, [Number(pid)]]));
  const add = (name: string, pid: number): void => void groups.set(name, [...(groups.get(name) ?? []), pid]);
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const pid = Number(name);
    try {
      const argv = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ');
      const node = new RegExp(`strata-lab-${values.lab}-(\\w+)/`).exec(readFileSync(`/proc/${name}/cgroup`, 'utf8'))?.[1];
      if (node !== undefined && argv.includes('stratad run')) add(`agent ${node}`, pid);
      if (node !== undefined) continue;
      const parent = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]);
      const parents = readFileSync(`/proc/${parent}/cmdline`, 'utf8');
      if (argv.includes(values.home)) add(/supervisor|server\.cjs|redis|postgres/.exec(argv)?.[0] ?? 'other', pid);
      else if (argv.startsWith('postgres:') && parents.includes(values.home)) add('postgres', pid);
    } catch {
      // it ended while we looked
    }
  }
  return [...groups].map(([name, pids]) => ({ name, pids }));
}
const none = { anonMb: 0, rssMb: 0, cpu: 0 };
/** What processes use in all; one that ended meanwhile counts for nothing. */
const sum = (pids: readonly number[], cpuBefore?: ReadonlyMap<number, number>): typeof none =>
  pids.reduce((all, pid) => {
    const now = existsSync(`/proc/${pid}/status`) ? useOf(pid) : { ...none, cpu: cpuBefore?.get(pid) ?? 0 };
    return { anonMb: all.anonMb + now.anonMb, rssMb: all.rssMb + now.rssMb, cpu: all.cpu + now.cpu - (cpuBefore?.get(pid) ?? 0) };
  }, none);

const groups = found();
const before = new Map(groups.flatMap((g) => g.pids.map((pid) => [pid, sum([pid]).cpu] as const)));
const seconds = Number(values.seconds);
process.stdout.write(`watching ${groups.map((g) => g.name).join(', ') || 'nothing'} for ${seconds} s; load ${loadNow()}\n`);
await sleep(seconds * 1000);
let over = 0;
for (const { name, pids } of groups) {
  const now = sum(pids, before);
  const percent = (now.cpu / seconds) * 100;
  const bad = name.startsWith('agent') && (now.anonMb > agentLimit.anonMb || percent > agentLimit.percent);
  if (bad) over += 1;
  process.stdout.write(
    `  ${name.padEnd(14)} RssAnon ${now.anonMb.toFixed(1).padStart(6)} MB  RSS ${now.rssMb.toFixed(1).padStart(6)} MB  CPU ${percent.toFixed(2)} % of a core${bad ? '  TOO MUCH' : ''}\n`,
  );
}
process.stdout.write(`load ${loadNow()}; an agent may hold ${agentLimit.anonMb} MB and use ${agentLimit.percent} %\n`);
process.exitCode = over > 0 ? 1 : 0;
