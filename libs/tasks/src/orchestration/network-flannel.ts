import { Cidr, HostOrIp, ImageRef } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';
import { flannelObjects } from './flannel-objects';
import { outdated, refOf, withRevision } from './revision';

export const networkFlannel = defineServerTask({
  name: 'network.flannel', version: 1, layer: 'orchestration', timeout: '2m', attempts: 4,
  title: 'The pod network is set up',
  input: z.strictObject({ podCidr: Cidr, backend: z.enum(['vxlan', 'host-gw']), image: ImageRef, nftables: z.boolean(), endpoint: HostOrIp }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ cluster, input }) {
    const words = await outdated(cluster, flannelObjects(input));
    return words === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: words, before: {} };
  },
  async apply({ cluster, input }) {
    await cluster.apply(flannelObjects(input).map(withRevision));
  },
  async undo({ cluster, input }) {
    for (const object of flannelObjects(input).reverse()) await cluster.delete(refOf(object));
  },
}); // prettier-ignore
