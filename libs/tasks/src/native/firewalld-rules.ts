import type { Host } from '../ports/host';
import { must } from '../programs';
import { type Argv, type FoundRule, type Opening, type Rule, wishesAt } from './firewall-wishes';

/** firewalld keeps no comments: the mark of our rich rules is their priority. What goes into the zone `trusted` bears none. */
const richMark = 'rule priority="-117" ';

/** firewalld forwards what it trusts. */
export async function firewalldRules(host: Host, o: Opening): Promise<(Rule & FoundRule)[]> {
  const held = await holds(host);
  return wishesAt(o, 'input').map((w) => {
    const source = w.source ? `source address="${w.source}" ` : '';
    const rich = `${richMark}family="ipv4" ${source}port port="${w.port ?? ''}" protocol="${w.proto ?? ''}" accept`;
    const entry = w.interface ? `interface=${w.interface}` : w.port === undefined ? `source=${w.source}` : `rich-rule=${rich}`;
    return { id: w.id, there: held.has(entry), add: command('add', entry), remove: command('remove', entry) };
  });
}
const command = (verb: 'add' | 'remove', entry: string): Argv => [
  'firewall-cmd',
  '--permanent',
  ...(entry.startsWith('rich-rule=') ? [] : ['--zone=trusted']),
  `--${verb}-${entry}`,
];
async function holds(host: Host): Promise<Set<string>> {
  const ask = async (...args: string[]): Promise<string> => (await must(host, ['firewall-cmd', '--permanent', ...args], { timeoutMs: 30_000 })).stdout.trim();
  const rich = (await ask('--list-rich-rules')).split('\n').map((rule) => `rich-rule=${rule}`);
  const sources = (await ask('--zone=trusted', '--list-sources')).split(/\s+/).map((range) => `source=${range}`);
  const links = (await ask('--zone=trusted', '--list-interfaces')).split(/\s+/).map((name) => `interface=${name}`);
  return new Set([...rich, ...sources, ...links]);
}
/** Rules of ours, also those of an older spec. Of the zone `trusted` those of `o`. */
export async function foundInFirewalld(host: Host, o: Opening): Promise<FoundRule[]> {
  const found: FoundRule[] = (await firewalldRules(host, o)).filter((r) => r.there);
  const older = [...(await holds(host))].filter((entry) => entry.startsWith(`rich-rule=${richMark}`)).map((entry) => ({ id: entry, remove: command('remove', entry) })); // prettier-ignore
  return [...found, ...older.filter((r) => !found.some((f) => f.remove.at(-1) === r.remove.at(-1)))];
}
export const reloadFirewalld = async (host: Host): Promise<void> => {
  await must(host, ['firewall-cmd', '--reload']);
};
