import { HostOrIp, Ipv4 } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker, warning } from './findings';

/** The resolver: that there is one, and that what it adds to names does no harm in pods. */
export const precheckDns = definePrecheck({
  name: 'precheck.dns', version: 1,
  title: 'Names can be resolved',
  // names that must resolve, if any; the name servers of the spec
  input: z.strictObject({ names: z.array(HostOrIp).default([]), servers: z.array(Ipv4).default([]) }),
  async look({ host, input }) {
    const { dns } = await host.facts('dns');
    const found = [];
    if (dns.servers.length === 0) found.push(warning('dns.none', 'this machine knows no name server', 'give `native.dns.servers`, unless it shall resolve no names'));
    if (dns.servers.length > 3) found.push(warning('dns.many', `${dns.servers.length} name servers are set; only the first three are ever asked`, 'take the others out'));
    if (dns.search.length > 6) found.push(warning('dns.search', `${dns.search.length} search domains are set; pods can take six`, 'take some out'));
    const loopback = dns.servers.filter(isLoopback);
    if (loopback.length > 0 && loopback.length === dns.servers.length && input.servers.length === 0)
      found.push(blocker('dns.loopback', `this machine asks only itself for names (${loopback.join(', ')}), where pods cannot reach it, and the cluster's DNS would ask itself in a circle`, 'give `native.dns.servers`'));
    for (const domain of dns.wildcard ?? [])
      found.push(warning('dns.wildcard', `under the search domain ${domain} any name resolves: names in pods would lead there`, `pods do without ${domain}; take it out of this machine's resolver if nobody needs it`));
    for (const name of input.names) if ((await host.network.resolve(name, 5000)).length === 0) found.push(blocker('dns.unresolved', `${name} does not resolve on this machine`, 'mend its resolver, or give `native.dns.servers`'));
    return found;
  },
}); // prettier-ignore
const isLoopback = (server: string): boolean => server.startsWith('127.') || server === '::1';
