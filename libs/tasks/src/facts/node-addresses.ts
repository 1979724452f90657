import type { Facts } from '@strata/model';
import { isPodLink } from './gather';

type Address = Facts['addresses'][number];
/** Interfaces that container engines and virtual machines' bridges make. */
const engines = /^(lo|docker\d*|br-|virbr|podman|lxcbr|lxdbr)/;
/** Ends of tunnels: a node may have its address there, but only if the spec says so. */
const tunnels = /^(tun|tap|wg|tailscale|zt)/;

/** IPv4 addresses of a machine that the spec may name as the node's: no loopback, no link-local, none of containers or pods. */
export const nodeAddresses = (f: Pick<Facts, 'addresses'>): Address[] =>
  f.addresses.filter((a) => !isPodLink(a.interface) && !engines.test(a.interface) && !/^(127\.|169\.254\.)/.test(a.address) && !a.address.includes(':'));
/** Those among which the choice must be clear when the spec names none. */
export const likelyAddresses = (f: Pick<Facts, 'addresses'>): Address[] => nodeAddresses(f).filter((a) => !tunnels.test(a.interface));
/** Addresses with their interfaces, for people. */
export const listOf = (addresses: readonly Address[]): string => addresses.map((a) => `${a.address} (${a.interface})`).join(', ') || 'none';
