import { rangeOf } from './cidr';

/** Where the control plane listens for the tunnel of nodes behind a NAT. */
export const tunnelPort = 7447;
export const tunnelLink = 'strata-tun';

/** A number of 32 bits that a text always gives (FNV-1a): addresses that stay when other nodes come and go. */
function numberOf(text: string): number {
  let h = 0x811c9dc5;
  for (const sign of text) h = Math.imul(h ^ (sign.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return h;
}
const dotted = (n: number): string => [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.');

/** The control plane's address in the tunnel: the range's first. */
export const tunnelHub = (cidr: string): string => dotted((rangeOf(cidr)?.from ?? 0) + 1);
/** A node's address in the tunnel: by its name alone, so that it is the same in every plan. */
export function tunnelAddress(cidr: string, node: string): string {
  const range = rangeOf(cidr) ?? { from: 0, to: 0 };
  return dotted(range.from + 2 + (numberOf(node) % (range.to - range.from - 3)));
}
/** Who a node is in the tunnel: the name in its certificate, of 64 characters at most. */
export function tunnelName(cluster: string, node: string): string {
  const name = `${cluster}.${node}`;
  return name.length <= 64 ? name : `${name.slice(0, 55)}.${numberOf(name).toString(16).padStart(8, '0')}`;
}
