import { Cidr, type Facts, type Finding, Ipv4, overlap } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { isPodLink, likelyAddresses, listOf, nodeAddresses } from '../facts';
import { blocker, warning } from './findings';

/** Addresses, routes and MTU against the ranges that pods and services will use. */
export const precheckNetwork = definePrecheck({
  name: 'precheck.network', version: 1,
  title: 'Addresses are clear and the ranges of the cluster are free',
  input: z.strictObject({ podCidr: Cidr, serviceCidr: Cidr, tunnelCidr: Cidr.optional(), address: z.string().optional(), nat: z.boolean().default(false) }), // address: or the name of an interface
  async look({ host, input }) {
    const f = await host.facts('addresses', 'routes', 'mtu', 'dns', 'devices');
    const ranges = [['pods', input.podCidr, 'podCidr'], ['services', input.serviceCidr, 'serviceCidr'], ...(input.tunnelCidr === undefined ? [] : [['the tunnel', input.tunnelCidr, 'tunnelCidr'] as const])] as const; // prettier-ignore
    // a node behind a NAT has its address in the tunnel, whatever it has besides
    const found: Finding[] = addressFindings(f, input.address).filter((a) => !input.nat || !['network.choose-address', 'network.two-default-routes'].includes(a.code));
    if (input.tunnelCidr !== undefined && f.devices?.['/dev/net/tun'] === false)
      found.push(blocker('network.no-tun', 'there is no /dev/net/tun here, which the tunnel to nodes behind a NAT needs', 'load the module tun; in a container let its host give it the device (Proxmox: `dev0: /dev/net/tun`)'));
    if (overlap(input.podCidr, input.serviceCidr)) found.push(blocker('network.overlap', `the ranges of pods ${input.podCidr} and services ${input.serviceCidr} overlap`, 'choose ranges that do not touch in `network`'));
    for (const [what, range, key] of ranges) {
      for (const r of f.routes.filter((route) => !isPodLink(route.interface) && !isPodRoute(f, route, input.podCidr) && route.destination !== 'default' && overlap(route.destination, range)))
        found.push(blocker('network.overlap', `the range of ${what} ${range} overlaps this machine's route to ${r.destination}${r.interface ? ` (${r.interface})` : ''}`, `choose another \`network.${key}\``)); // prettier-ignore
      for (const server of f.dns.servers.filter((s) => overlap(s, range))) found.push(blocker('network.overlap', `the name server ${server} lies in the range of ${what} ${range}`, `choose another \`network.${key}\``));
    }
    return found;
  },
}); // prettier-ignore

/** With the backend host-gw the ranges of other nodes' pods are routed over the ordinary interface once the pod network runs here. */
const isPodRoute = (f: Pick<Facts, 'routes'>, r: Facts['routes'][number], podCidr: string): boolean =>
  r.gateway !== null && overlap(r.destination, podCidr) && f.routes.some((own) => isPodLink(own.interface) && overlap(own.destination, podCidr)); // prettier-ignore

function addressFindings(f: Pick<Facts, 'addresses' | 'routes' | 'mtu'>, wanted: string | undefined): Finding[] {
  const own = wanted === undefined ? likelyAddresses(f) : nodeAddresses(f);
  if (own.length === 0) return [blocker('network.no-ipv4', 'this machine has no IPv4 address; IPv6 alone is not supported yet', 'give it an IPv4 address')];
  const defaults = f.routes.filter((r) => r.destination === 'default');
  const found: Finding[] = [];
  const list = listOf(own);
  const chosen = own.find((a) => a.address === wanted || a.interface === wanted);
  if (wanted === undefined) {
    if (own.length > 1)
      found.push(
        blocker(
          'network.choose-address',
          `this machine has several addresses: ${list}`,
          'name one of them, or its interface, as `address` of the node in the spec',
        ),
      );
  } else if (!chosen) {
    const isAddress = Ipv4.safeParse(wanted).success;
    found.push(
      blocker(
        'network.no-such-address',
        `this machine has no ${isAddress ? 'address' : 'interface'} ${wanted}; it has ${list}`,
        'name one of them as `address` of the node in the spec',
      ),
    );
  }
  if (defaults.length === 0)
    found.push(warning('network.no-default-route', 'this machine has no default route', 'Strata needs none; pods will not reach the internet'));
  if (new Set(defaults.map((r) => r.interface)).size > 1 && wanted === undefined)
    found.push(
      blocker(
        'network.two-default-routes',
        `default routes lead over ${defaults.map((r) => r.interface).join(' and ')}`,
        'name the address or interface to use as `address` of the node in the spec',
      ),
    );
  const mtu = f.mtu[(chosen ?? own[0])?.interface ?? ''] ?? 1500;
  if (mtu < 1280)
    found.push(
      warning('network.mtu', `the MTU of ${(chosen ?? own[0])?.interface ?? ''} is ${mtu}; with vxlan pods get ${mtu - 50}`, 'raise the MTU to 1400 or more'),
    );
  return found;
}
