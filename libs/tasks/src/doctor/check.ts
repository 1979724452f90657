import type { Check, CheckCode } from '@strata/model';
import type { Host } from '../ports/host';

/** What a look at a machine is made with. */
export interface Looking {
  host: Host;
  /** The node's name, or what else the machine is called. */
  where: string;
  /** The control server's clock, ms since 1970; null when there is no server to compare with. */
  serverNow: () => number | null;
}
type Found = Pick<Check, 'cause' | 'remedy'> & { evidence?: string[] };

/** The words of one check: `ok`, or what is so instead. */
export class Checked {
  constructor(
    private readonly code: CheckCode,
    private readonly where: string,
    private readonly title: string,
  ) {}
  ok(cause = ''): Check {
    return { ...this.head('ok'), cause };
  }
  broken(found: Found): Check {
    return { ...this.head('broken'), ...found };
  }
  warning(found: Found): Check {
    return { ...this.head('warning'), ...found };
  }
  unknown(cause: string, remedy = ''): Check {
    return { ...this.head('unknown'), cause, remedy };
  }
  private head(verdict: Check['verdict']): Check {
    return { code: this.code, where: this.where, title: this.title, verdict, cause: '', remedy: '', evidence: [] };
  }
}

/** The last lines of a unit's journal that speak of trouble; the very last ones when none does. */
export async function lastWords(host: Host, unit: string, count = 3): Promise<string[]> {
  const lines = await host.units.log(unit, 80).catch(() => [] as string[]);
  const own = lines.filter((l) => !/^(Start(ed|ing)|Stopp(ed|ing)|Failed to start) |Scheduled restart job|Consumed .* CPU time|^(Main|Control) process exited|Failed with result|^[\w@.-]+: (Deactivated|Unit process)/.test(l.replace(/^\S+\.service: /, '')));
  const bad = own.filter((l) => /^[EF]\d{4} |\berror\b|fatal|\bfail(ed|ure|s)?\b|panic|no space|cannot|denied/i.test(l));
  return (bad.length > 0 ? bad : own).slice(-count).map((l) => l.slice(0, 400));
} // prettier-ignore
