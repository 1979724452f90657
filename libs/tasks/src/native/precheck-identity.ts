import { NodeName } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker, warning } from './findings';

const label = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

/** Host name and machine-id: valid, and not another node's. */
export const precheckIdentity = definePrecheck({
  name: 'precheck.identity', version: 1,
  title: 'The machine has a name and an id of its own',
  input: z.strictObject({
    name: NodeName,
    others: z.array(z.strictObject({ name: NodeName, hostname: z.string(), machineId: z.string() })).default([]),
  }),
  async look({ host, input }) {
    const f = await host.facts('hostname', 'machineId');
    const found = [];
    if (!label.test(f.hostname) || f.hostname.length > 63) found.push(warning('identity.hostname', `the host name "${f.hostname}" is not one that Kubernetes takes; the node is named ${input.name}`, `set \`hostname: set\` for ${input.name} in the spec to change the machine's name, too`)); // prettier-ignore
    if (f.hostname === 'localhost' || f.hostname === '') found.push(warning('identity.localhost', 'this machine has no name of its own', `set \`hostname: set\` for ${input.name} in the spec`));
    if (!/^[0-9a-z-]{6,}$/.test(f.machineId) || f.machineId === 'uninitialized') found.push(blocker('identity.machine-id', '/etc/machine-id is empty', 'run `systemd-machine-id-setup` on this machine'));
    for (const o of input.others.filter((other) => other.name !== input.name)) {
      if (o.machineId === f.machineId) found.push(blocker('identity.machine-id-twice', `this machine has the same machine-id as ${o.name}: one is a copy of the other`, 'on one of them: `rm /etc/machine-id && systemd-machine-id-setup`, then reboot it'));
      if (o.hostname === f.hostname) found.push(warning('identity.hostname-twice', `this machine and ${o.name} have the same host name ${f.hostname}`, 'nothing needs to be done for Strata; logs are easier to read with two names'));
    }
    return found;
  },
}); // prettier-ignore
