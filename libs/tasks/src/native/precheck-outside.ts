import { HostOrIp, Port } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker } from './findings';

/** The proxy that packages and images come through. */
export const precheckOutside = definePrecheck({
  name: 'precheck.outside', version: 1,
  title: 'The proxy of the spec can be reached',
  input: z.strictObject({ proxies: z.array(z.strictObject({ host: HostOrIp, port: Port })) }),
  async look({ host, input }) {
    const found = [];
    for (const proxy of input.proxies)
      if (!(await host.network.reaches(proxy.host, proxy.port, 5000)))
        found.push(blocker('outside.proxy', `this machine does not reach the proxy ${proxy.host}:${proxy.port}`, 'let it through to the proxy, or mend `network.proxy`'));
    return found;
  },
}); // prettier-ignore
