import { type Listener, portsOf, Role, StoragePart } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import type { Host } from '../ports/host';
import { blocker } from './findings';

/** Whether a Kubernetes that runs here was installed by Strata: then its own processes may hold its ports. */
async function oursRuns(host: Host): Promise<boolean> {
  for (const path of ['/etc/kubernetes/strata', '/etc/rancher/k3s/strata']) if ((await host.files.stat(path)) !== null) return true;
  return false;
}
const who = (l: Listener): string => (l.process === null ? 'an unknown process' : `${l.process} (pid ${l.pid ?? '?'}${l.unit ? `, ${l.unit}` : ''})`);
const remedy = (l: Listener): string => {
  if (l.unit?.endsWith('.service')) return `stop it (\`systemctl disable --now ${l.unit}\`), or give it another port`;
  return l.pid === null ? 'find it (`ss -lntup`) and stop it' : `stop process ${l.pid}, or give it another port`;
};

/** Ports that will be used, and which process and unit holds one that is taken. */
export const precheckPorts = definePrecheck({
  name: 'precheck.ports', version: 1,
  title: 'The ports of Kubernetes are free',
  input: z.strictObject({ role: Role, tunnel: z.boolean().default(false), storage: z.array(StoragePart).default([]) }),
  async look({ host, input }) {
    const { listeners } = await host.facts('listeners');
    const ours = await oursRuns(host);
    return portsOf(input.role, input.tunnel, input.storage).flatMap((need) => {
      const taken = listeners.find((l) => l.proto === need.proto && l.port === need.port && !(ours && (l.process === null || need.holders.includes(l.process))));
      return taken ? [blocker('port.taken', `port ${need.port}/${need.proto}, which ${need.what} needs, is held by ${who(taken)}`, remedy(taken))] : [];
    });
  },
}); // prettier-ignore
