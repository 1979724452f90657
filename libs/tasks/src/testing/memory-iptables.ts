import type { MemoryHost } from './memory-host';
import { said } from './memory-programs';

interface Table {
  chains: Record<string, string>; // policy by chain, "-" for one that iptables did not make
  rules: Record<string, string[]>;
}
/** As much of iptables as tasks use, with Docker's chains in it: rules put in at the top and taken out, and all of it printed. */
export function seedIptables(host: MemoryHost): void {
  const filter: Table = {
    chains: { INPUT: 'DROP', FORWARD: 'DROP', OUTPUT: 'ACCEPT', 'DOCKER-USER': '-' },
    rules: { INPUT: ['-p tcp -m tcp --dport 22 -j ACCEPT'], FORWARD: ['-j DOCKER-USER'], 'DOCKER-USER': ['-i eth0 -j DROP'] },
  };
  host.extra.set('iptables', filter);
  const table = (): Table => host.extra.get('iptables') as Table;
  const print = (): string => {
    const { chains, rules } = table();
    const lines = Object.keys(chains).flatMap((c) => (rules[c] ?? []).map((r) => `-A ${c} ${r}`));
    return ['*filter', ...Object.entries(chains).map(([c, policy]) => `:${c} ${policy} [0:0]`), ...lines, 'COMMIT', ''].join('\n');
  };
  host.program('iptables-save', () => said(print()));
  host.program('iptables', (argv) => {
    if (argv.includes('--version')) return said('iptables v1.8.9 (nf_tables)\n');
    const at = argv.findIndex((w) => w === '-I' || w === '-D');
    if (at < 0) return said();
    const [chain = '', ...words] = argv.slice(at + 1);
    const rule = words.join(' ').replace(/-p (tcp|udp) --dport/, '-p $1 -m $1 --dport'); // as it prints it again
    const rules = table().rules[chain];
    if (!rules) return said('', 1, 'iptables: No chain/target/match by that name.');
    if (argv[at] === '-I') rules.unshift(rule);
    else if (rules.includes(rule)) rules.splice(rules.indexOf(rule), 1);
    else return said('', 1, 'iptables: Bad rule (does a matching rule exist in that chain?).');
    return said();
  });
}
