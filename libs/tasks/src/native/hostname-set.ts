import { NodeName } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage } from '../ports/host';

const file = '/etc/hostname';
/** cloud-init sets the name again at every boot unless it is told not to. */
const cloud = '/etc/cloud/cloud.cfg.d/99-strata-hostname.cfg';
const cloudText = '# Written by Strata\npreserve_hostname: true\n';

export const hostnameSet = defineTask({
  name: 'hostname.set', version: 1, layer: 'native', timeout: '1m', attempts: 3,
  title: 'The machine bears its name',
  input: z.strictObject({ name: NodeName }),
  before: z.strictObject({ name: z.string(), file: FileImage, cloud: FileImage.nullable() }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const name = await host.hostname();
    const withCloud = (await host.files.stat('/etc/cloud')) !== null;
    const kept = (await host.files.read(file))?.trim() === input.name && (!withCloud || (await host.files.read(cloud)) === cloudText);
    if (name === input.name && kept) return { state: 'satisfied', output: {} };
    const before = { name, file: await host.files.image(file), cloud: withCloud ? await host.files.image(cloud) : null };
    return { state: 'unsatisfied', reason: name === input.name ? 'the name would not survive a reboot' : `its name is ${name}`, before };
  },
  async apply({ host, input, before }) {
    await host.files.write(file, `${input.name}\n`);
    if (before.cloud) await host.files.write(cloud, cloudText);
    await host.setHostname(input.name);
  },
  async undo({ host, before }) {
    await host.files.restore(before.file);
    if (before.cloud) await host.files.restore(before.cloud);
    await host.setHostname(before.name);
  },
}); // prettier-ignore
