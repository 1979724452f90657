import { builtin, clusterChain, clusterTable, nftTables, type NftTable, wordsOf } from '../firewall';
import type { Host } from '../ports/host';

/** The tables ("ip filter") and chains ("ip filter INPUT") of nftables, those of iptables among them. */
interface RulesBefore {
  tables: string[];
  chains?: string[] | undefined; // not known of older installs
}
async function ruleset(host: Host): Promise<NftTable[]> {
  if ((await host.programs.which('nft')) === null) return [];
  return nftTables((await host.programs.run(['nft', '-a', 'list', 'ruleset'], { timeoutMs: 60_000 })).stdout);
}
export async function rulesBefore(host: Host): Promise<{ tables: string[]; chains: string[] }> {
  const tables = await ruleset(host);
  return { tables: tables.map((t) => `${t.family} ${t.name}`), chains: tables.flatMap((t) => t.chains.map((c) => `${t.family} ${t.name} ${c.name}`)) };
}

/** Takes what Kubernetes and its network put into the kernel's rules out again, and leaves everybody else's as they are. */
export async function removeClusterRules(host: Host, before: RulesBefore): Promise<void> {
  await removeIptablesChains(host);
  await removeNftChains(host);
  await removeSets(host);
  for (const table of await ruleset(host)) {
    if (before.tables.includes(`${table.family} ${table.name}`)) continue;
    if (clusterTable.test(table.name) || isEmpty(table)) await nft(host, 'delete', 'table', table.family, table.name);
  }
  for (const { family, name, chains } of await ruleset(host))
    for (const chain of chains)
      if (isLeftOver(`${family} ${name} ${chain.name}`, before) && builtin.has(chain.name) && chain.rules.length === 0) await nft(host, 'delete', 'chain', family, name, chain.name); // prettier-ignore
}
/** iptables makes its built-in chains when it first needs one, also in a table that somebody else has made: they go with our last rule. */
const isLeftOver = (chain: string, before: RulesBefore): boolean =>
  before.tables.includes(chain.split(' ').slice(0, 2).join(' ')) && before.chains !== undefined && !before.chains.includes(chain);
/** Whether a table holds chains at most, no rule, set or map: what iptables leaves behind when its last rule is gone. */
const isEmpty = (table: NftTable): boolean => !table.hasMore && table.chains.every((c) => c.rules.length === 0);
/** What is gone already is fine. */
const nft = async (host: Host, ...words: string[]): Promise<void> => void (await host.programs.run(['nft', ...words]));

/** The addresses that network policies are about: sets of the kernel that no table of rules shows. Named with a hash: nobody else's are called so. */
async function removeSets(host: Host): Promise<void> {
  if ((await host.programs.which('ipset')) === null) return;
  const ours = async (): Promise<string[]> =>
    (await host.programs.run(['ipset', 'list', '-n'])).stdout.split('\n').filter((name) => /^(inet6:)?KUBE-(SRC|DST)-[A-Z2-7]{16}$/.test(name));
  // the kernel lets go of a set a moment after the rule that used it is gone
  for (let round = 1, left = await ours(); left.length > 0 && round <= 20; round += 1, left = await ours())
    for (const name of left) await host.programs.run(['ipset', 'destroy', name]);
}

/** kubelet and the portmap plugin keep chains of their own names where there is an iptables: they go, nobody else's do. */
async function removeIptablesChains(host: Host): Promise<void> {
  const ours = /(^|\s)(KUBE-|CNI-|FLANNEL-)/;
  // pods bring the nft kind with them, whichever this machine uses
  for (const program of ['iptables', 'ip6tables', 'iptables-nft', 'ip6tables-nft']) {
    if ((await host.programs.which(program)) === null) continue;
    for (const table of ['nat', 'mangle', 'filter']) {
      const { code, stdout } = await host.programs.run([program, '-w', '5', '-t', table, '-S']);
      if (code !== 0) continue;
      const lines = stdout.split('\n').filter((l) => ours.test(l));
      const chains = lines.flatMap((l) => /^-N (\S+)$/.exec(l)?.[1] ?? []);
      for (const rule of lines.filter((l) => l.startsWith('-A ') && !chains.includes(l.split(' ')[1] ?? '')))
        await host.programs.run([program, '-w', '5', '-t', table, '-D', ...wordsOf(rule).slice(1)]);
      for (const flag of ['-F', '-X']) for (const chain of chains) await host.programs.run([program, '-w', '5', '-t', table, flag, chain]);
    }
  }
}
/** The same where this machine has no iptables: kube-proxy (on kernels too old for its nftables mode) and flannel bring their own. */
async function removeNftChains(host: Host): Promise<void> {
  for (const { family, name, chains } of (await ruleset(host)).filter((t) => /^ip6?$/.test(t.family))) {
    const ours = chains.filter((c) => clusterChain.test(c.name));
    const leads = (text: string): boolean => ours.some((c) => text.endsWith(` ${c.name}`));
    for (const chain of chains.filter((c) => !ours.includes(c)))
      for (const rule of chain.rules) if (leads(rule.text)) await nft(host, 'delete', 'rule', family, name, chain.name, 'handle', rule.handle ?? '');
    for (const verb of ['flush', 'delete']) for (const chain of ours) await nft(host, verb, 'chain', family, name, chain.name);
  }
}
