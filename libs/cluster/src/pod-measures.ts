import { nanosIn, nanosOf, type PodUsage } from '@strata/model';
import type { Connection } from './connection';

const path = '/apis/metrics.k8s.io/v1beta1/pods';
const everyMs = 15_000;
/** Where nobody measures, and where whoever measures gives no answer. */
const rarelyMs = 60_000;
/** What is older than that says nothing of now. */
const staleMs = 90_000;
/** So long a view waits for what is not known yet. */
const patienceMs = 1_000;
const nothing: ReadonlyMap<string, PodUsage> = new Map();

/** What the pods of a cluster use, by whoever serves metrics.k8s.io in it. Asked for when somebody looks, and not more often than whoever measures has news. */
export class PodMeasures {
  private known: { at: number; pods: ReadonlyMap<string, PodUsage> } | null = null;
  private asking: Promise<void> | null = null;
  private dueAt = 0;
  private silent = false; // the last answer was none

  constructor(
    private readonly connection: Pick<Connection, 'throughProxy'>,
    private readonly now: () => number,
  ) {}

  /** By `namespace/name`. Never fails, and keeps nobody waiting who has it already; waits for a moment where nothing of now is known. */
  async look(): Promise<ReadonlyMap<string, PodUsage>> {
    if (this.asking === null && this.now() >= this.dueAt) this.asking = this.ask().finally(() => (this.asking = null));
    if (this.asking !== null && this.fresh() === null && !this.silent) await atMost(patienceMs, this.asking);
    return this.fresh() ?? nothing;
  }

  private fresh(): ReadonlyMap<string, PodUsage> | null {
    return this.known !== null && this.now() - this.known.at < staleMs ? this.known.pods : null;
  }
  private async ask(): Promise<void> {
    const answer = await this.connection.throughProxy(path).catch(() => null);
    const pods = answer?.status === 200 ? measuresIn(answer.body) : null;
    this.silent = pods === null;
    this.dueAt = this.now() + (pods === null ? rarelyMs : everyMs);
    if (pods !== null) this.known = { at: this.now(), pods };
  }
}

interface Measured {
  metadata?: { namespace?: string; name?: string };
  containers?: { usage?: { cpu?: string; memory?: string } }[];
}
/** Each pod's containers together; a pod of which something cannot be read is left out. Null: that is no such list. */
export function measuresIn(body: string): ReadonlyMap<string, PodUsage> | null {
  let items: Measured[] | undefined;
  try {
    items = (JSON.parse(body) as { items?: Measured[] } | null)?.items;
  } catch {
    return null;
  }
  if (!Array.isArray(items)) return null;
  const found = new Map<string, PodUsage>();
  for (const { metadata, containers = [] } of items) {
    const cpu = sumOf(containers.map((c) => c.usage?.cpu));
    const memory = sumOf(containers.map((c) => c.usage?.memory));
    if (cpu === null || memory === null || containers.length === 0) continue;
    found.set(`${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`, { cpuMillis: nanosIn(cpu, 'milli'), memoryBytes: nanosIn(memory, 'one') });
  }
  return found;
}
function sumOf(quantities: readonly (string | undefined)[]): bigint | null {
  const all = quantities.map((q) => (typeof q === 'string' ? nanosOf(q) : null));
  return all.includes(null) ? null : all.reduce<bigint>((sum, n) => sum + (n ?? 0n), 0n);
}
function atMost(ms: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    void work.finally(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
