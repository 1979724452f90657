import type { Facts } from '@strata/model';
import { isPodLink, nodeAddresses, overlap } from '@strata/tasks';

/** Ranges that a cluster may use, the usual ones first. Pods get a /16, services a /16 or more. */
const forPods = ['10.244.0.0/16', '10.42.0.0/16', '172.28.0.0/16', '192.168.0.0/16', '10.200.0.0/16', '172.20.0.0/16', '100.96.0.0/16'];
const forServices = ['10.96.0.0/12', '10.43.0.0/16', '172.29.0.0/16', '10.201.0.0/16', '172.21.0.0/16', '100.97.0.0/16'];

/** The first ranges that touch no route, no address and no name server of any of these machines, nor each other. Null when all are taken. */
export function freeRanges(machines: readonly Pick<Facts, 'routes' | 'addresses' | 'dns'>[]): { podCidr: string; serviceCidr: string } | null {
  const taken = machines.flatMap((f) => [
    ...f.routes.filter((r) => r.destination !== 'default' && r.destination !== '0.0.0.0/0' && !isPodLink(r.interface)).map((r) => r.destination),
    ...f.addresses.filter((a) => !isPodLink(a.interface)).map((a) => a.address),
    ...f.dns.servers,
  ]);
  const free = (range: string, others: readonly string[]): boolean => !others.some((other) => overlap(range, other));
  const podCidr = forPods.find((range) => free(range, taken));
  const serviceCidr = podCidr === undefined ? undefined : forServices.find((range) => free(range, [...taken, podCidr]));
  return podCidr === undefined || serviceCidr === undefined ? null : { podCidr, serviceCidr };
}

/** Addresses that a node could have, the best first: the one it was reached by, then the one on the way of the first default route. */
export function addressesFor(facts: Facts, reachedBy: string): { interface: string; address: string }[] {
  const way = facts.routes.filter((r) => r.destination === 'default' || r.destination === '0.0.0.0/0').sort((a, b) => a.metric - b.metric)[0]?.interface;
  const rank = (a: { interface: string; address: string }): number => (a.address === reachedBy ? 0 : a.interface === way ? 1 : 2);
  return nodeAddresses(facts).map(({ interface: name, address }) => ({ interface: name, address })).sort((a, b) => rank(a) - rank(b)); // prettier-ignore
}
