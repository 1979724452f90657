import { HostOrIp } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker, warning } from './findings';

/** The resolver: that there is one, and that what it adds to names does no harm in pods. */
export const precheckDns = definePrecheck({
  name: 'precheck.dns', version: 1,
  title: 'Names can be resolved',
  input: z.strictObject({ names: z.array(HostOrIp).default([]) }), // names that must resolve, if any
  async look({ host, input }) {
    const { dns } = await host.facts('dns');
    const found = [];
    if (dns.servers.length === 0) found.push(warning('dns.none', 'this machine knows no name server', 'give `native.dns.servers`, unless it shall resolve no names'));
    if (dns.servers.length > 3) found.push(warning('dns.many', `${dns.servers.length} name servers are set; only the first three are ever asked`, 'take the others out'));
    if (dns.search.length > 6) found.push(warning('dns.search', `${dns.search.length} search domains are set; pods can take six`, 'take some out'));
    if (dns.managedBy === 'file' && dns.servers.some((s) => s.startsWith('127.'))) found.push(warning('dns.loopback', 'the resolver of this machine is on its loopback address, where pods cannot reach it', 'give `native.dns.servers`'));
    for (const name of input.names) if ((await host.network.resolve(name, 5000)).length === 0) found.push(blocker('dns.unresolved', `${name} does not resolve on this machine`, 'mend its resolver, or give `native.dns.servers`'));
    return found;
  },
}); // prettier-ignore
