import { readdirSync, readFileSync } from 'node:fs';

/** Clock ticks a second of /proc/PID/stat: 100 on every Linux that Node runs on. */
const ticks = 100;

export interface CpuUse {
  /** `where/program`: where is `host`, or a lab node's name. */
  name: string;
  seconds: number;
}
interface Seen {
  name: string;
  first: number;
  last: number;
}

/**
 * Samples /proc and sums the CPU time of the processes that `isOurs` knows. Programs that live shorter than a sample are missed one by one:
 * for whole nodes ask `cgroupSeconds`, which misses nothing.
 */
export class CpuWatch {
  private readonly seen = new Map<string, Seen>();
  private readonly timer: NodeJS.Timeout;
  private readonly isOurs: (process: { cgroup: string; argv: string; environ: () => string }) => string | null;
  private begun = false;

  constructor(isOurs: (process: { cgroup: string; argv: string; environ: () => string }) => string | null, everyMs = 1000) {
    this.isOurs = isOurs;
    this.sample();
    this.begun = true;
    this.timer = setInterval(() => this.sample(), everyMs);
  }
  /** CPU seconds since the watch began, most first; programs of one name on one place are added up. */
  stop(): CpuUse[] {
    clearInterval(this.timer);
    this.sample();
    const sums = new Map<string, number>();
    for (const s of this.seen.values()) sums.set(s.name, (sums.get(s.name) ?? 0) + (s.last - s.first) / ticks);
    return [...sums].map(([name, seconds]) => ({ name, seconds })).sort((a, b) => b.seconds - a.seconds);
  }
  private sample(): void {
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid) || pid === String(process.pid)) continue;
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const key = `${pid}.${fields[19] ?? ''}`;
        const used = Number(fields[11]) + Number(fields[12]);
        const known = this.seen.get(key);
        if (known) {
          known.last = used;
          continue;
        }
        const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        const where = this.isOurs({ cgroup: readFileSync(`/proc/${pid}/cgroup`, 'utf8'), argv, environ: () => readFileSync(`/proc/${pid}/environ`, 'utf8') });
        if (where === null) continue;
        const comm = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
        this.seen.set(key, { name: `${where}/${programOf(comm, argv)}`, first: this.begun ? 0 : used, last: used });
      } catch {
        // it ended while we looked
      }
    }
  }
}
/** The program's name; of a Node program its script. */
function programOf(comm: string, argv: string): string {
  const script = /([\w-]+)\.(?:cjs|mjs|ts)\b/.exec(argv)?.[1];
  if (/^(node|MainThread|strata)/.test(comm) && script) return script;
  return argv.split(' ')[0]?.split('/').at(-1) || comm; // runc's children change their name late
}

/** CPU seconds that a cgroup's processes, living and dead, used since it was made; null where there is no cgroup v1 cpuacct. */
export function cgroupSeconds(prefix: string): number | null {
  const root = '/sys/fs/cgroup/cpuacct';
  try {
    return readdirSync(root).filter((n) => n.startsWith(prefix)).reduce((sum, n) => sum + Number(readFileSync(`${root}/${n}/cpuacct.usage`, 'utf8')) / 1e9, 0); // prettier-ignore
  } catch {
    return null;
  }
}
/** What a process uses now. `anonMb`: RssAnon, `rssMb`: all that is resident, in MB; `cpu`: seconds. */
export function useOf(pid: number): { anonMb: number; rssMb: number; cpu: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kb = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { anonMb: kb('RssAnon') / 1024, rssMb: kb('VmRSS') / 1024, cpu: (Number(fields[11]) + Number(fields[12])) / ticks };
}
export const loadNow = (): string => readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ');
