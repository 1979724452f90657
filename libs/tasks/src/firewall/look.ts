import type { Interest } from './conditions';
import { builtin, type IptablesChain, iptablesDrops, type IptablesTable, iptablesTables, nobody, type Owned } from './iptables';
import { type NftChain, nftDrops, type NftTable, nftTables } from './nft';

/** How a firewall is looked at: by an agent on its own machine or over SSH. */
export interface Ask {
  /** Text of a file, or null if it cannot be read. */
  read(path: string): Promise<string | null>;
  /** Standard output; empty if there is no such program or it failed. */
  run(argv: readonly [string, ...string[]]): Promise<string>;
}
/** The kernel keeps two sets of iptables, each with programs of its own; a machine can have rules in both. */
export interface IptablesProgram {
  program: 'iptables' | 'iptables-nft' | 'iptables-legacy';
  tables: IptablesTable[];
}
export interface Firewall {
  nft: NftTable[]; // without the chains that iptables keeps there: nft must not touch those
  iptables: IptablesProgram[];
  ufw: boolean;
  firewalld: boolean;
}
/** A chain that drops, and the program that keeps it. */
export type Place = ({ tool: 'nftables' } & NftChain) | ({ tool: IptablesProgram['program'] } & IptablesChain);

async function iptablesOf(ask: Ask): Promise<IptablesProgram[]> {
  const found: IptablesProgram[] = [];
  const take = async (program: IptablesProgram['program']): Promise<void> => {
    const tables = iptablesTables(await ask.run([`${program}-save`]));
    if (tables.length > 0) found.push({ program, tables });
  };
  const version = await ask.run(['iptables', '--version']);
  await take('iptables');
  // legacy tables are named there while they are in use; asking for one that is not would make it
  if (/legacy/.test(version) || (version !== '' && !/nf_tables/.test(version))) await take('iptables-nft');
  else if ((await ask.read('/proc/net/ip_tables_names'))?.trim()) await take('iptables-legacy');
  return found;
}

export async function lookAtFirewall(ask: Ask): Promise<Firewall> {
  const [ruleset, iptables, conf, firewalld] = await Promise.all([
    ask.run(['nft', '-a', 'list', 'ruleset']),
    iptablesOf(ask),
    ask.read('/etc/ufw/ufw.conf'),
    ask.run(['systemctl', 'is-active', 'firewalld.service']),
  ]);
  const nft = nftTables(ruleset).flatMap((t) => {
    const chains = t.chains.filter((c) => !(t.family === 'ip' && c.base !== null && builtin.has(c.name) && iptables.some((i) => i.tables.some((k) => k.name === t.name)))); // prettier-ignore
    return chains.length === 0 || (chains.length < t.chains.length && chains.every((c) => c.base === null)) ? [] : [{ ...t, chains }];
  });
  // `ufw enable` does not start its unit: the chains tell
  const ufw = /^ENABLED=["']?yes/im.test(conf ?? '') && iptables.some((i) => i.tables.some((t) => t.chains.some((c) => c.startsWith('ufw-'))));
  return { nft, iptables, ufw, firewalld: firewalld.trim().split('\n')[0] === 'active' };
}

/** Who else fills these tables: ufw sets the policies and has chains of its own, firewalld (with iptables beneath) has the built-in chains as well. */
function ownedBy(firewall: Firewall, tables: readonly IptablesTable[]): Owned {
  const has = (chain: string): boolean => tables.some((t) => t.chains.includes(chain));
  if (firewall.ufw && has('ufw-user-input')) return { chains: /^ufw6?-/, policy: true, builtin: false };
  if (firewall.firewalld && has('INPUT_ZONES')) return { chains: /^(INPUT|FORWARD)_/, policy: true, builtin: true };
  return nobody;
}
/** Every chain that drops what we need and that neither ufw nor firewalld opens. */
export function droppingPlaces(firewall: Firewall, interest: Interest): Place[] {
  const nft = nftDrops(firewall.nft.filter((t) => !(firewall.firewalld && t.name === 'firewalld')), interest); // prettier-ignore
  const iptables = firewall.iptables.flatMap(({ program, tables }) =>
    iptablesDrops(tables, interest, ownedBy(firewall, tables)).map((chain): Place => ({ tool: program, ...chain })),
  );
  return [...nft.map((chain): Place => ({ tool: 'nftables', ...chain })), ...iptables];
}
/** For people: "nftables inet filter input", "iptables filter FORWARD". */
export const placeName = (p: Place): string => ('family' in p ? `nftables ${p.family} ${p.table} ${p.chain}` : `${p.tool} ${p.table} ${p.chain}`);
