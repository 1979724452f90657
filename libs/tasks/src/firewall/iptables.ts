import { clusterChain, type Hook, type Interest, meetsLinks, meetsPorts, meetsProtocols, meetsRanges, meetsStates } from './conditions';

export interface IptablesChain {
  table: string;
  chain: string;
  hook: Hook;
}
export interface IptablesRule {
  chain: string;
  words: string[]; // after the chain's name
}
export interface IptablesTable {
  name: string;
  policies: Map<string, string>; // by built-in chain
  chains: string[];
  rules: IptablesRule[];
}

/** The words of a line of `iptables-save`: blanks separate, double quotes hold together, a backslash takes the next sign as it is. */
export function wordsOf(line: string): string[] {
  return (line.match(/"(?:\\.|[^"\\])*"|\S+/g) ?? []).map((w) => (w.startsWith('"') ? w.slice(1, -1).replace(/\\(.)/g, '$1') : w));
}
/** The tables of `iptables-save`. */
export function iptablesTables(saved: string): IptablesTable[] {
  const tables: IptablesTable[] = [];
  for (const line of saved.split('\n')) {
    const [, name] = /^\*(\S+)$/.exec(line) ?? [];
    const [, chain, policy] = /^:(\S+) (\S+)/.exec(line) ?? [];
    const table = tables.at(-1);
    if (name) tables.push({ name, policies: new Map(), chains: [], rules: [] });
    else if (table && chain) {
      table.chains.push(chain);
      if (policy !== '-') table.policies.set(chain, policy ?? '');
    } else if (table && line.startsWith('-A ')) {
      const [, into = '', ...words] = wordsOf(line);
      table.rules.push({ chain: into, words });
    }
  }
  return tables;
}

type Meets = (words: string[], not: boolean, interest: Interest) => boolean;
const never: Meets = () => false;
const known: Readonly<Record<string, Meets>> = {
  '-i': meetsLinks,
  '-o': meetsLinks,
  '-p': meetsProtocols,
  '-s': meetsRanges,
  '-d': meetsRanges,
  '--dport': meetsPorts,
  '--dports': meetsPorts,
  '--ctstate': meetsStates,
  '--state': meetsStates,
  '--syn': () => true,
  '--tcp-flags': (words) => words.at(-1) === 'SYN',
  '--comment': () => true,
};
/** Where a rule that our traffic can meet sends it: the name of a chain or target. Null if it cannot meet it. A condition that we do not know makes it special. */
function targetOf(rule: IptablesRule, interest: Interest): string | null {
  let not = false;
  for (let i = 0; i < rule.words.length; i += 1) {
    const word = rule.words[i] ?? '';
    if (word === '-j' || word === '-g') return rule.words[i + 1] ?? null;
    if (word === '-m') i += 1;
    else if (word === '!') {
      not = true;
      continue;
    } else {
      const takes = word === '--syn' ? 0 : word === '--tcp-flags' ? 2 : 1;
      const values = rule.words.slice(i + 1, i + 1 + takes).flatMap((w) => w.split(','));
      if (!(known[word] ?? never)(values, not, interest)) return null;
      i += takes;
    }
    not = false;
  }
  return null;
}
/** Chains that a tool of its own fills, and that are opened through it. */
export interface Owned {
  /** By their names. */
  chains: RegExp | null;
  /** Whether the policy is that tool's as well. */
  policy: boolean;
  /** Whether the rules of the built-in chains themselves are. */
  builtin: boolean;
}
export const nobody: Owned = { chains: null, policy: false, builtin: false };

interface Walk {
  interest: Interest;
  owned: Owned;
  seen: Set<string>;
}
function drops(table: IptablesTable, chain: string, walk: Walk): boolean {
  if (walk.seen.has(chain) || clusterChain.test(chain) || walk.owned.chains?.test(chain)) return false;
  walk.seen.add(chain);
  const direct = !(walk.owned.builtin && table.policies.has(chain));
  return table.rules.some((rule) => {
    if (rule.chain !== chain) return false;
    const target = targetOf(rule, walk.interest);
    if (target === null) return false;
    return /^(DROP|REJECT|TARPIT)$/.test(target) ? direct : drops(table, target, walk);
  });
}
/** Chains that iptables makes by itself, in capitals, in tables that may be somebody else's as well. */
export const builtin: ReadonlySet<string> = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']);

const hooks: readonly (readonly [string, Hook])[] = [['PREROUTING', 'prerouting'], ['INPUT', 'input'], ['FORWARD', 'forward']]; // prettier-ignore
/**
 * Built-in chains that drop what no rule of theirs accepts. Where Docker's DOCKER-USER is asked first, it comes besides FORWARD:
 * Docker puts it ahead of everything at each start, and keeps what is in it.
 */
export function iptablesDrops(tables: readonly IptablesTable[], interest: Interest, owned: Owned = nobody): IptablesChain[] {
  return tables.flatMap((t) => {
    if (t.name === 'nat') return [];
    return hooks.flatMap(([chain, hook]): IptablesChain[] => {
      if (!t.policies.has(chain)) return [];
      const mine = t.name === 'filter' ? owned : nobody;
      const policy = t.policies.get(chain) === 'DROP' && !mine.policy;
      if (!policy && !drops(t, chain, { interest, owned: mine, seen: new Set() })) return [];
      const user = t.name === 'filter' && hook === 'forward' && t.rules.some((r) => r.chain === chain && r.words.at(-1) === 'DOCKER-USER');
      return [{ table: t.name, chain, hook }, ...(user ? [{ table: t.name, chain: 'DOCKER-USER', hook }] : [])];
    });
  });
}
