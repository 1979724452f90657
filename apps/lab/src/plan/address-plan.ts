import { LabFailure } from '../failure';

/** Everything the lab numbers itself: 256 labs of up to 200 nodes in 10.78.0.0/16. */
export const labRange = '10.78.0.0/16';
/** Where second network cards are: the same slots, another network. */
export const secondRange = '10.79.0.0/16';
export const maxNodes = 200;

/** The network of the lab in one slot. The control host is `.1`, nodes begin at `.11`. */
export interface LabNetwork {
  readonly slot: number;
  readonly bridge: string;
  readonly subnet: string;
  readonly hostAddress: string;
  readonly table: string;
}

export const labNetwork = (slot: number): LabNetwork => ({
  slot,
  bridge: `slab${slot}`,
  subnet: `10.78.${slot}.0/24`,
  hostAddress: `10.78.${slot}.1`,
  table: `strata_lab_${slot}`,
});

/** The network of a lab's second cards. It leads nowhere: only the control host (`.1`) and other second cards are on it. */
export interface SecondNetwork {
  readonly bridge: string;
  readonly subnet: string;
  readonly hostAddress: string;
}
export const secondNetwork = (slot: number): SecondNetwork => ({
  bridge: `slab${slot}b`,
  subnet: `10.79.${slot}.0/24`,
  hostAddress: `10.79.${slot}.1`,
});
/** Name of a second card inside its node, and of its other end. */
export const secondCard = 'lan1';
export const secondLink = (slot: number, node: string): string => `vc-${machineName(slot, node)}`;
/** The address that a node's second card gets: as the first one's, in the other network. */
export const secondAddress = (slot: number, address: string): string => `10.79.${slot}.${address.split('.')[3] ?? ''}`;

/** Where nodes behind a NAT are: in no table of this machine, only their router leads there. */
export const natRange = '10.80.0.0/16';
/** The network behind a lab's NAT: a bridge without an address, and a router with a name space of its own. */
export interface NatNetwork {
  readonly bridge: string;
  readonly subnet: string;
  readonly routerInside: string;
  readonly routerOutside: string;
  readonly namespace: string;
  /** The router's two links on this machine: in the network behind it, and in the lab's. */
  readonly links: { readonly inside: string; readonly outside: string };
}
export const natNetwork = (slot: number): NatNetwork => ({
  bridge: `slab${slot}n`,
  subnet: `10.80.${slot}.0/24`,
  routerInside: `10.80.${slot}.1`,
  routerOutside: `10.78.${slot}.2`,
  namespace: `strata-lab-${slot}`,
  links: { inside: `slab${slot}i`, outside: `slab${slot}o` },
});
export const natAddress = (slot: number, address: string): string => `10.80.${slot}.${address.split('.')[3] ?? ''}`;

/** Names of nodes are n1, n2, ...; the n-th has address `.10 + n`. */
export const nodeName = (n: number): string => `n${n}`;
export const nodeAddress = (slot: number, n: number): string => `10.78.${slot}.${10 + n}`;

/** What nspawn calls the machine; unique among all labs, and short enough that its link is `vb-` + this name. */
export const machineName = (slot: number, node: string): string => `s${slot}-${node}`;
export const linkName = (slot: number, node: string): string => `vb-${machineName(slot, node)}`;

const toNumber = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
/** Whether two IPv4 ranges (`a.b.c.d/n`, or an address) share an address. */
export function overlaps(a: string, b: string): boolean {
  const range = (text: string): [number, number] => {
    const [address = '', bits = '32'] = text.split('/');
    const size = 2 ** (32 - Number(bits));
    const first = Math.floor(toNumber(address) / size) * size;
    return [first, first + size - 1];
  };
  const [a1, a2] = range(a);
  const [b1, b2] = range(b);
  return a1 <= b2 && b1 <= a2;
}

/**
 * The first slot that no other lab has and that no route of this machine touches.
 * @param taken slots of known labs and of bridges that exist
 * @param routes destinations of this machine's routes, without the lab's own unreachable one
 */
export function freeSlot(taken: readonly number[], routes: readonly string[]): number {
  for (let slot = 0; slot < 256; slot++) {
    if (
      !taken.includes(slot) &&
      !routes.some((route) => [labNetwork(slot), secondNetwork(slot), natNetwork(slot)].some((network) => overlaps(route, network.subnet)))
    )
      return slot;
  }
  throw new LabFailure(`no free network is left in ${labRange}: ${taken.length} labs exist, and routes of this machine take the rest`, {
    remedy: 'remove labs that are not needed (`strata lab list`, `strata lab down --name NAME`)',
  });
}

/** Checks a new address for a node. @throws LabFailure (exit code 2) unless it lies in the lab's subnet and is free. */
export function checkNewAddress(slot: number, address: string, others: readonly string[]): void {
  const { subnet, hostAddress } = labNetwork(slot);
  const last = Number(address.split('.')[3]);
  const wellFormed = /^\d{1,3}(\.\d{1,3}){3}$/.test(address) && address.split('.').every((part) => Number(part) <= 255);
  const why = !wellFormed
    ? 'it is not an IPv4 address'
    : !overlaps(address, subnet)
      ? `it is outside the lab's subnet ${subnet}`
      : last === 0 || last === 255 || address === hostAddress
        ? `it is the subnet's, the broadcast or the control host's address`
        : others.includes(address)
          ? 'another node has it'
          : undefined;
  if (why) throw new LabFailure(`${address} cannot be a node's address: ${why}`, { remedy: `choose a free address in ${subnet}`, exitCode: 2 });
}
