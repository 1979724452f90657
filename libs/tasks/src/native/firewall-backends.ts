import { droppingChains, iptablesDrops, type NftChain } from '../facts';
import type { Host } from '../ports/host';
import { must } from '../programs';

/** What shall get through. `from`: IPv4 ranges, empty for everybody. */
export interface Opening {
  ports: readonly { proto: 'tcp' | 'udp'; port: number; from: readonly string[] }[];
  trust: readonly string[];
  interfaces: readonly string[];
}
/** One rule that we want. `id` names it in the firewall itself. */
interface Wish {
  id: string;
  hook: 'input' | 'forward';
  proto?: 'tcp' | 'udp';
  port?: number;
  source?: string;
  destination?: string;
  interface?: string;
}
type Argv = [string, ...string[]];
export interface Rule {
  id: string;
  present(host: Host): Promise<boolean>;
  add: Argv;
}
/** A rule of ours that is in the firewall now. */
export interface FoundRule {
  id: string;
  remove: Argv;
}
export type Owner = 'ufw' | 'firewalld' | 'iptables' | 'nftables';

const word = (value: string): string => value.replace(/[^a-z0-9.-]/gi, '_');
function wishes(o: Opening): Wish[] {
  const ports = o.ports.flatMap(({ proto, port, from }) =>
    (from.length === 0 ? [undefined] : from).map((source): Wish => ({
      id: `strata-${proto}-${port}${source ? `-${word(source)}` : ''}`,
      hook: 'input',
      proto,
      port,
      source,
    })),
  );
  const trust = o.trust.flatMap((range): Wish[] => [
    { id: `strata-from-${word(range)}`, hook: 'input', source: range },
    { id: `strata-forward-from-${word(range)}`, hook: 'forward', source: range },
    { id: `strata-forward-to-${word(range)}`, hook: 'forward', destination: range },
  ]);
  const links = o.interfaces.map((name): Wish => ({ id: `strata-on-${word(name)}`, hook: 'input', interface: name }));
  return [...ports, ...trust, ...links];
}
/** firewalld forwards what it trusts. */
const inputWishes = (o: Opening): Wish[] => wishes(o).filter((w) => w.hook === 'input');
const ok = async (host: Host, argv: Argv): Promise<boolean> => (await host.programs.run(argv, { timeoutMs: 30_000 })).code === 0;
/** Which tool owns the rules that are in our way; null if nothing is. */
export async function ownerOf(host: Host): Promise<Owner | null> {
  const { firewall } = await host.facts('firewall');
  if (firewall.tools.includes('ufw')) return 'ufw';
  if (firewall.tools.includes('firewalld')) return 'firewalld';
  if (!firewall.dropsInput && !firewall.dropsForward) return null;
  if ((await host.programs.which('iptables-save')) !== null) {
    const { stdout } = await host.programs.run(['iptables-save', '-t', 'filter'], { timeoutMs: 30_000 });
    if (iptablesDrops(stdout, 'INPUT') || iptablesDrops(stdout, 'FORWARD')) return 'iptables';
  }
  return 'nftables';
}

/** The rules that let `o` through, in the words of the tool that owns the firewall. Nothing is ever switched off. */
export async function rulesOf(host: Host, owner: Owner, o: Opening): Promise<Rule[]> {
  if (owner === 'ufw') return ufwRules(wishes(o));
  if (owner === 'firewalld') return firewalldRules(inputWishes(o));
  if (owner === 'iptables') return wishes(o).map(iptablesRule);
  const { stdout } = await host.programs.run(['nft', 'list', 'ruleset'], { timeoutMs: 30_000 });
  return wishes(o).flatMap((w) => droppingChains(stdout, w.hook).filter((c) => c.family !== 'ip6').map((c) => nftRule(c, w))); // prettier-ignore
}
/** False if this firewall was taken off meanwhile. */
export async function installed(host: Host, owner: Owner): Promise<boolean> {
  return (await host.programs.which({ ufw: 'ufw', firewalld: 'firewall-cmd', iptables: 'iptables', nftables: 'nft' }[owner])) !== null;
}
/** Whether the owner forgets our rules at a reboot. */
export const forgets = (owner: Owner): boolean => owner === 'iptables' || owner === 'nftables';

/** ufw takes a second to answer: it is asked once for all rules. */
function ufwRules(wanted: readonly Wish[]): Rule[] {
  let asked: Promise<string> | undefined;
  const added = (host: Host): Promise<string> => (asked ??= must(host, ['ufw', 'show', 'added']).then((r) => r.stdout));
  return wanted.map((w) => ufwRule(w, added));
}
/** In the words in which ufw shows it again: what the operator had allowed already is left to the operator. */
function ufwRule(w: Wish, added: (host: Host) => Promise<string>): Rule {
  const address = (range: string): string => range.replace(/\/32$/, '');
  const spec = [
    ...(w.hook === 'forward' ? ['route'] : []),
    'allow',
    ...(w.interface ? ['in', 'on', w.interface] : []),
    ...(w.source ? ['from', address(w.source)] : []),
    ...(w.destination ? ['to', address(w.destination)] : []),
    ...(w.port && w.source ? ['to', 'any', 'port', String(w.port), 'proto', w.proto ?? ''] : []),
    ...(w.port && !w.source ? [`${w.port}/${w.proto}`] : []),
  ];
  const line = ['ufw', ...spec].join(' ');
  const present = async (host: Host): Promise<boolean> => (await added(host)).split('\n').some((l) => l === line || l.startsWith(`${line} comment `));
  return { id: w.id, present, add: ['ufw', ...spec, 'comment', w.id] };
}
/** firewalld keeps no comments: the mark of our rich rules is their priority. What goes into the zone `trusted` bears none. */
const richMark = 'rule priority="-117" ';
function firewalldRules(wanted: readonly Wish[]): (Rule & FoundRule)[] {
  let asked: Promise<Set<string>> | undefined;
  const held = (host: Host): Promise<Set<string>> => (asked ??= firewalldHolds(host));
  return wanted.map((w) => {
    const source = w.source ? `source address="${w.source}" ` : '';
    const rich = `${richMark}family="ipv4" ${source}port port="${w.port ?? ''}" protocol="${w.proto ?? ''}" accept`;
    const entry = w.interface ? `interface=${w.interface}` : w.port === undefined ? `source=${w.source}` : `rich-rule=${rich}`;
    return { id: w.id, present: async (host) => (await held(host)).has(entry), add: firewalldCommand('add', entry), remove: firewalldCommand('remove', entry) };
  });
}
const firewalldCommand = (verb: 'add' | 'remove', entry: string): Argv => [
  'firewall-cmd',
  '--permanent',
  ...(entry.startsWith('rich-rule=') ? [] : ['--zone=trusted']),
  `--${verb}-${entry}`,
];
async function firewalldHolds(host: Host): Promise<Set<string>> {
  const ask = async (...args: string[]): Promise<string> => (await must(host, ['firewall-cmd', '--permanent', ...args], { timeoutMs: 30_000 })).stdout.trim();
  const rich = (await ask('--list-rich-rules')).split('\n').map((rule) => `rich-rule=${rule}`);
  const sources = (await ask('--zone=trusted', '--list-sources')).split(/\s+/).map((range) => `source=${range}`);
  const links = (await ask('--zone=trusted', '--list-interfaces')).split(/\s+/).map((name) => `interface=${name}`);
  return new Set([...rich, ...sources, ...links]);
}
function iptablesRule(w: Wish): Rule {
  const spec = [
    w.hook === 'input' ? 'INPUT' : 'FORWARD',
    ...(w.proto ? ['-p', w.proto] : []),
    ...(w.source ? ['-s', w.source] : []),
    ...(w.destination ? ['-d', w.destination] : []),
    ...(w.interface ? ['-i', w.interface] : []),
    ...(w.port ? ['--dport', String(w.port)] : []),
    ...['-m', 'comment', '--comment', w.id, '-j', 'ACCEPT'],
  ];
  return {
    id: w.id,
    present: (host) => ok(host, ['iptables', '-w', '10', '-C', ...spec]),
    add: ['iptables', '-w', '10', '-I', ...spec],
  };
}
function nftRule(at: NftChain, w: Wish): Rule {
  const chain = [at.family, at.table, at.chain] as const;
  const id = `${w.id}-${word(at.table)}`;
  const match = [
    ...(w.source ? ['ip', 'saddr', w.source] : []),
    ...(w.destination ? ['ip', 'daddr', w.destination] : []),
    ...(w.interface ? ['iifname', w.interface] : []),
    ...(w.proto ? [w.proto, 'dport', String(w.port)] : []),
  ];
  const listed = async (host: Host): Promise<string> => (await host.programs.run(['nft', '-a', 'list', 'chain', ...chain], { timeoutMs: 30_000 })).stdout;
  return {
    id,
    present: async (host) => (await listed(host)).includes(`comment "${id}"`),
    add: ['nft', 'insert', 'rule', ...chain, ...match, 'accept', 'comment', id],
  };
}

/**
 * All rules of ours that the firewall holds now, also those of an older spec: they bear our mark. Of firewalld's
 * zone `trusted` those of `o`.
 */
export async function foundRules(host: Host, owner: Owner, o: Opening): Promise<FoundRule[]> {
  if (owner === 'firewalld') return foundInFirewalld(host, o);
  const list: Record<Exclude<Owner, 'firewalld'>, Argv> = {
    ufw: ['ufw', 'show', 'added'],
    iptables: ['iptables', '-w', '10', '-S'],
    nftables: ['nft', '-a', 'list', 'ruleset'],
  };
  const { stdout } = await must(host, list[owner], { timeoutMs: 30_000 });
  return { ufw: foundInUfw, iptables: foundInIptables, nftables: foundInNft }[owner](stdout);
}
async function foundInFirewalld(host: Host, o: Opening): Promise<FoundRule[]> {
  const wanted = firewalldRules(inputWishes(o));
  const found: FoundRule[] = [];
  for (const rule of wanted) if (await rule.present(host)) found.push(rule);
  const older = [...(await firewalldHolds(host))].filter((entry) => entry.startsWith(`rich-rule=${richMark}`)).map((entry) => ({ id: entry, remove: firewalldCommand('remove', entry) })); // prettier-ignore
  return [...found, ...older.filter((r) => !found.some((f) => f.remove.at(-1) === r.remove.at(-1)))];
}
const foundInUfw = (text: string): FoundRule[] =>
  [...text.matchAll(/^ufw (route )?(.+) comment '(strata-[^']+)'$/gm)].map(([, route, spec = '', id = '']) => ({
    id,
    remove: ['ufw', '--force', ...(route ? ['route'] : []), 'delete', ...spec.split(' ')],
  }));
const foundInIptables = (text: string): FoundRule[] =>
  [...text.matchAll(/^-A (.* --comment "?(strata-[^" ]+)"? -j ACCEPT)$/gm)].map(([, spec = '', id = '']) => ({
    id,
    remove: ['iptables', '-w', '10', '-D', ...spec.replaceAll('"', '').split(' ')],
  }));
function foundInNft(text: string): FoundRule[] {
  let [table, chain] = [['', ''], ''];
  return text.split('\n').flatMap((line): FoundRule[] => {
    const opens = /^\s*(?:table (\S+) (\S+)|chain (\S+)) \{/.exec(line);
    if (opens?.[1]) table = [opens[1], opens[2] ?? ''];
    if (opens?.[3]) chain = opens[3];
    const rule = / comment "(strata-[^"]+)" # handle (\d+)$/.exec(line);
    return rule ? [{ id: rule[1] ?? '', remove: ['nft', 'delete', 'rule', ...table, chain, 'handle', rule[2] ?? ''] }] : [];
  });
}
