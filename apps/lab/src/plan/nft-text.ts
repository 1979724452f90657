import type { LabNetwork, SecondNetwork } from './address-plan';

const privateRanges = ['10.0.0.0/8', '100.64.0.0/10', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'];

/**
 * NAT for one lab, and the guard: of private addresses its nodes reach each other, the control host's bridge address and `allowed`, nothing else.
 * Loading it again replaces the table.
 * @param allowed private addresses that nodes need: resolvers, a package proxy
 * @param outside false: nodes reach each other and the control host's bridge address, and nothing beyond, no resolver either
 */
export function natTable(network: LabNetwork, allowed: readonly string[], outside = true): string {
  const { table, bridge, subnet } = network;
  const accept = allowed.length ? `\n    iifname "${bridge}" ip daddr { ${[...new Set(allowed)].sort().join(', ')} } accept` : '';
  return `table ip ${table} {}
delete table ip ${table}
table ip ${table} {
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} ip daddr != ${subnet} masquerade
  }
  chain out {
    type filter hook forward priority filter; policy accept;
    iifname "${bridge}" oifname "${bridge}" accept${outside ? accept : ''}
    iifname "${bridge}"${outside ? ` ip daddr { ${privateRanges.join(', ')} }` : ''} reject
  }
}
`;
}

/** The guard of a lab's second cards: their network leads nowhere. */
export const secondGuard = ({ bridge }: SecondNetwork): string => `table ip strata_${bridge} {}
delete table ip strata_${bridge}
table ip strata_${bridge} {
  chain out {
    type filter hook forward priority filter; policy accept;
    iifname "${bridge}" oifname != "${bridge}" reject
  }
}
`;

/** Rules of the router in front of nodes behind a NAT: they go out under its address; nothing that they did not ask for comes in. */
export const routerTable = (subnet: string): string => `table ip nat {
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} ip daddr != ${subnet} masquerade
  }
  chain in {
    type filter hook forward priority filter; policy accept;
    ip daddr ${subnet} ct state != { established, related } drop
  }
}
`;

/** What is wrong with a node's link. `cutFrom` holds node names, `host` (the control host and everything behind it) or `*` (all). */
export interface LinkFaults {
  readonly link: string;
  readonly cutFrom: readonly string[];
  /** Percent of frames lost, each way. */
  readonly loss: number;
}

/**
 * Cuts and losses of one lab as a table of the bridge family; empty text of rules when nothing is wrong. Rules name links, so they outlive a node's reboot.
 * @param linkOf the link of a node of the lab
 */
export function faultTable(network: LabNetwork, faults: readonly LinkFaults[], linkOf: (node: string) => string): string {
  const forward: string[] = [];
  const input: string[] = [];
  const output: string[] = [];
  for (const { link, cutFrom, loss } of faults) {
    const from = `iifname "${link}"`;
    const to = `oifname "${link}"`;
    const every = cutFrom.includes('*');
    if (every) forward.push(`${from} drop`, `${to} drop`);
    if (every || cutFrom.includes('host')) {
      input.push(`${from} drop`);
      output.push(`${to} drop`);
    }
    for (const peer of cutFrom.filter((p) => p !== '*' && p !== 'host')) {
      forward.push(`${from} oifname "${linkOf(peer)}" drop`, `iifname "${linkOf(peer)}" ${to} drop`);
    }
    if (loss > 0) {
      const some = `numgen random mod 1000 < ${Math.round(loss * 10)} drop`;
      forward.push(`${from} ${some}`, `${to} ${some}`);
      input.push(`${from} ${some}`);
      output.push(`${to} ${some}`);
    }
  }
  const chain = (hook: string, rules: readonly string[]): string =>
    rules.length ? `  chain ${hook} {\n    type filter hook ${hook} priority filter; policy accept;\n${rules.map((r) => `    ${r}\n`).join('')}  }\n` : '';
  const body = chain('forward', forward) + chain('input', input) + chain('output', output);
  const name = `bridge ${network.table}`;
  return `table ${name} {}\ndelete table ${name}\n${body ? `table ${name} {\n${body}}\n` : ''}`;
}
