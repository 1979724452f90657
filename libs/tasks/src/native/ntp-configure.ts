import { HostOrIp } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';
import { TaskError } from '../task-error';
import { info } from './findings';

/** A time service that can be told its servers by a file of our own. */
interface Service {
  unit: string;
  file: string;
  text(servers: readonly string[]): string;
}
const chronyText = (servers: readonly string[]): string => `# Written by Strata\n${servers.map((s) => `server ${s} iburst`).join('\n')}\n`;
const services: Record<string, Service> = {
  chrony: { unit: 'chrony.service', file: '/etc/chrony/sources.d/strata.sources', text: chronyText },
  chronyd: { unit: 'chronyd.service', file: '/etc/chrony.d/strata.sources', text: chronyText },
  'systemd-timesyncd': {
    unit: 'systemd-timesyncd.service',
    file: '/etc/systemd/timesyncd.conf.d/90-strata.conf',
    text: (servers) => `# Written by Strata\n[Time]\nNTP=${servers.join(' ')}\n`,
  },
};
/** What runs, or else what is installed and only needs to be started: chrony, of the packages. */
async function serviceHere(host: Host): Promise<{ name: string; running: boolean } | null> {
  const { time } = await host.facts('time');
  if (time.service) return { name: time.service, running: true };
  for (const [name, s] of Object.entries(services))
    if (name !== 'systemd-timesyncd' && (await host.units.state(s.unit)).load === 'loaded') return { name, running: false };
  return null;
}

/** One time service runs and asks the spec's servers, if there are any. One that runs already is kept. */
export const ntpConfigure = defineTask({
  name: 'ntp.configure', version: 1, layer: 'native', timeout: '3m', attempts: 2,
  title: 'The clock is kept right',
  input: z.strictObject({ servers: z.array(HostOrIp) }),
  before: z.strictObject({ unit: z.string(), file: FileImage, active: z.boolean(), enabled: z.boolean() }),
  output: z.strictObject({ service: z.string().nullable() }),
  async check({ host, input }) {
    if ((await host.facts('time')).time.canSet === false)
      return { state: 'satisfied', output: { service: null }, findings: [info('clock.of-host', 'this container may not set the clock: it is its host’s, which keeps it right')] };
    const found = await serviceHere(host);
    if (found === null) return { state: 'unknown', until: 'a time service is installed (packages.install with chrony)' };
    const service = services[found.name];
    if (!service) return { state: 'satisfied', output: { service: found.name }, findings: input.servers.length > 0 ? [info('clock.other-service', `${found.name} keeps the clock right and is left as it is; it does not take the servers of the spec`)] : [] };
    const told = input.servers.length === 0 || (await host.files.read(service.file)) === service.text(input.servers);
    const state = await host.units.state(service.unit);
    if (found.running && told) return { state: 'satisfied', output: { service: found.name } };
    const before = { unit: service.unit, file: await host.files.image(service.file), active: state.active === 'active', enabled: state.enabled === 'enabled' };
    return { state: 'unsatisfied', reason: found.running ? `${found.name} asks other servers` : `${found.name} does not run`, before };
  },
  async apply({ host, input, before }) {
    const service = Object.values(services).find((s) => s.unit === before.unit);
    if (!service) throw new TaskError('internal', `no time service has the unit ${before.unit}`, { remedy: 'report this' });
    if (input.servers.length > 0) await host.files.write(service.file, service.text(input.servers));
    await host.units.enable(service.unit);
  },
  async verify({ host, before }) {
    await host.units.restart(before.unit);
  },
  async undo({ host, before }) {
    await host.files.restore(before.file);
    if ((await host.units.state(before.unit)).load === 'not-found') return;
    if (!before.enabled) await host.units.disable(before.unit);
    if (before.active) await host.units.restart(before.unit);
    else await host.units.stop(before.unit);
  },
}); // prettier-ignore
