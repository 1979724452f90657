import { clusterTable, type Hook, type Interest, isHook, meetsLinks, meetsPorts, meetsProtocols, meetsRanges, meetsStates } from './conditions';

export interface NftChain {
  family: string;
  table: string;
  chain: string;
  hook: Hook;
}
export interface NftRule {
  text: string;
  comment: string | null;
  handle: string | null; // in a listing with -a
}
interface Chain {
  name: string;
  base: { hook: string; type: string; drops: boolean } | null;
  rules: NftRule[];
}
export interface NftTable {
  family: string;
  name: string;
  dormant: boolean;
  chains: Chain[];
  hasMore: boolean; // sets, maps, counters …
}

const braces = (line: string): number => {
  const bare = line.replace(/"[^"]*"/g, '');
  return (bare.match(/\{/g)?.length ?? 0) - (bare.match(/\}/g)?.length ?? 0);
};
function ruleOf(line: string): NftRule {
  const handle = / # handle (\d+)$/.exec(line)?.[1] ?? null;
  const comment = / comment "([^"]*)"( # handle \d+)?$/.exec(line)?.[1] ?? null;
  return { text: line.replace(/ # handle \d+$/, '').replace(/ comment "[^"]*"$/, ''), comment, handle };
}
/** The tables of `nft list ruleset`, with or without handles. Sets, maps and counters are passed over. */
export function nftTables(ruleset: string): NftTable[] {
  const tables: NftTable[] = [];
  let table: NftTable | null = null;
  let chain: Chain | null = null;
  let other = 0; // depth in something that is no chain
  let begun = ''; // a rule whose set goes over several lines
  for (const line of ruleset.split('\n').map((l) => l.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const opens = /^(table|chain) (?:(\S+) )?(\S+) \{( # handle \d+)?$/.exec(line);
    if (table === null) {
      if (opens?.[1] === 'table') tables.push((table = { family: opens[2] ?? '', name: opens[3] ?? '', dormant: false, chains: [], hasMore: false }));
    } else if (other > 0) other += braces(line);
    else if (chain === null) {
      if (line === '}') table = null;
      else if (opens?.[1] === 'chain') table.chains.push((chain = { name: opens[3] ?? '', base: null, rules: [] }));
      else if (braces(line) > 0) [other, table.hasMore] = [braces(line), true];
      else if (/^flags .*dormant/.test(line)) table.dormant = true;
    } else if (begun === '' && line === '}') chain = null;
    else {
      const whole: string = begun === '' ? line : `${begun} ${line}`;
      begun = braces(whole) > 0 ? whole : '';
      if (begun !== '') continue;
      const base = /^type (\S+) hook (\S+) (?:devices? .*)?priority .*?;(.*)$/.exec(whole);
      if (base) chain.base = { type: base[1] ?? '', hook: base[2] ?? '', drops: / policy drop;/.test(base[3] ?? '') };
      else chain.rules.push(ruleOf(whole));
    }
  }
  return tables;
}

const value = String.raw`(!= )?(\{[^}]*\}|\S+) `;
const words = (set = ''): string[] => set.replace(/[{}"]/g, ' ').split(/[\s,]+/).filter(Boolean); // prettier-ignore
type Meets = (words: string[], not: boolean, interest: Interest) => boolean;
/** Conditions and statements that we understand, and whether our traffic can meet them. What is not here narrows a rule to something special. */
const known: readonly (readonly [RegExp, Meets])[] = [
  [/^counter (packets \d+ bytes \d+ |name \S+ )?/, () => true],
  [/^log ((prefix "[^"]*"|(level|group|snaplen|queue-threshold|flags) \S+) )*/, () => true],
  [new RegExp(`^(?:meta )?(?:iif|oif|iifname|oifname) ${value}`), meetsLinks],
  [new RegExp(`^(?:meta l4proto|ip protocol) ${value}`), meetsProtocols],
  [/^meta nfproto (!= )?(ipv4) /, (_, not) => !not],
  [/^meta protocol (!= )?(ip) /, (_, not) => !not],
  [new RegExp(`^(?:tcp|udp|th) dport ${value}`), meetsPorts],
  [/^tcp flags (& \([^)]*\) == syn|syn \/ \S+|== syn|syn) /, () => true],
  [new RegExp(`^ct state ${value}`), meetsStates],
  [new RegExp(`^ip (?:saddr|daddr) ${value}`), meetsRanges],
];
/** What is left of a rule that our traffic can meet, without its conditions: the verdict. Null if it cannot. */
function verdictOf(text: string, interest: Interest): string | null {
  let rest = `${text} `;
  for (let again = true; again;) {
    again = false;
    if (/^[\w .]+ vmap /.test(rest)) break;
    for (const [form, meets] of known) {
      const m = form.exec(rest);
      if (!m || m[0] === '') continue;
      if (!meets(words(m[2]), m[1]?.trim() === '!=', interest)) return null;
      rest = rest.slice(m[0].length);
      again = true;
    }
  }
  return rest.trim();
}
/** Where a rule may lead: every chain of a verdict map, since its keys may be ours. */
const targets = (verdict: string): string[] => (/^((jump|goto) \S+$|[\w .]+ vmap \{)/.test(verdict) ? [...verdict.matchAll(/\b(?:jump|goto) ([^\s,}]+)/g)].map((m) => m[1] ?? '') : []); // prettier-ignore
function drops(table: NftTable, chain: Chain, { interest, seen = new Set() }: { interest: Interest; seen?: Set<string> }): boolean {
  if (seen.has(chain.name)) return false;
  seen.add(chain.name);
  return chain.rules.some((rule) => {
    const verdict = verdictOf(rule.text, interest);
    if (verdict === null) return false;
    if (/^(drop|reject\b.*)$/.test(verdict)) return true;
    return targets(verdict).some((name) => table.chains.some((c) => c.name === name && drops(table, c, { interest, seen })));
  });
}
/**
 * Base chains that IPv4 traffic of ours goes through and that drop it unless a rule accepts it: by their policy, or by a rule
 * of their own or of a chain that they go to. An accept elsewhere does not help: each of them has to accept.
 */
export function nftDrops(tables: readonly NftTable[], interest: Interest): NftChain[] {
  return tables
    .filter((t) => t.family !== 'ip6' && t.family !== 'arp' && !t.dormant && !clusterTable.test(t.name))
    .flatMap((t) =>
      t.chains.flatMap((c): NftChain[] => {
        if (c.base === null || c.base.type === 'nat' || !isHook(c.base.hook)) return [];
        return c.base.drops || drops(t, c, { interest }) ? [{ family: t.family, table: t.name, chain: c.name, hook: c.base.hook }] : [];
      }),
    );
}
