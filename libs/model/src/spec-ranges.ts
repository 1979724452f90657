import { overlap } from './cidr';
import { tunnelAddress } from './tunnel';

interface Ranges {
  network: { podCidr: string; serviceCidr: string; tunnelCidr: string; backend: string };
  nodes: readonly { name: string; role: string; nat: boolean; address?: string | undefined }[];
}
export interface RangeIssue {
  path: (string | number)[]; // below `spec`
  message: string;
}
const prefixOf = (cidr: string): number => Number(cidr.split('/')[1]);

/** What no machine has to be asked for: whether the ranges of pods and services are apart, fit the nodes, and leave the nodes' addresses alone. */
export function rangeIssues({ network, nodes }: Ranges): RangeIssue[] {
  const { podCidr, serviceCidr } = network;
  const found: RangeIssue[] = [];
  const say = (key: keyof Ranges['network'], message: string): void => void found.push({ path: ['network', key], message });
  if (overlap(podCidr, serviceCidr)) say('podCidr', `the ranges of pods ${podCidr} and services ${serviceCidr} overlap: choose ranges that do not touch`);
  const room = 2 ** (24 - prefixOf(podCidr)); // each node gets a /24
  if (room < nodes.length) say('podCidr', `${podCidr} has room for ${Math.floor(room)} nodes, each takes a /24: choose a range for ${nodes.length} or more`);
  if (prefixOf(serviceCidr) < 12 || prefixOf(serviceCidr) > 28) say('serviceCidr', `${serviceCidr} cannot be the services' range: choose a /12 to a /28`);
  nodes.forEach(({ address }, i) => {
    for (const [what, range] of [
      ['pods', podCidr],
      ['services', serviceCidr],
    ] as const)
      if (address !== undefined && overlap(address, range))
        found.push({ path: ['nodes', i, 'address'], message: `${address} lies in the range of ${what} ${range}: choose another range in \`network\`` });
  });
  return [...found, ...tunnelIssues({ network, nodes })];
}

/** The tunnel, where a node needs it: a range of its own, an address for each node, and pods' packets that travel inside. */
function tunnelIssues({ network, nodes }: Ranges): RangeIssue[] {
  const first = nodes.findIndex((n) => n.nat);
  if (first < 0) return [];
  const { tunnelCidr } = network;
  const found: RangeIssue[] = [];
  const say = (path: RangeIssue['path'], message: string): void => void found.push({ path, message });
  if (prefixOf(tunnelCidr) < 8 || prefixOf(tunnelCidr) > 24) say(['network', 'tunnelCidr'], `${tunnelCidr} cannot be the tunnel's range: choose a /8 to a /24`);
  for (const range of [network.podCidr, network.serviceCidr, ...nodes.flatMap((n) => n.address ?? [])])
    if (overlap(tunnelCidr, range)) say(['network', 'tunnelCidr'], `the tunnel's range ${tunnelCidr} overlaps ${range}: choose another`);
  if (network.backend !== 'vxlan') say(['network', 'backend'], 'a node behind a NAT (`nat: true`) needs the backend vxlan');
  nodes.forEach((n, i) => {
    if (n.nat && n.role === 'control-plane') say(['nodes', i, 'nat'], 'the control plane cannot be behind a NAT: the other nodes have to reach it');
    const twin = nodes.findIndex((m) => tunnelAddress(tunnelCidr, m.name) === tunnelAddress(tunnelCidr, n.name));
    if (twin < i) say(['nodes', i, 'name'], `${nodes[twin]?.name ?? ''} and ${n.name} get the same address in the tunnel: rename one, or choose a larger \`network.tunnelCidr\``);
  });
  return found;
} // prettier-ignore
