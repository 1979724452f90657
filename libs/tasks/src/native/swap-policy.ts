import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';
import { ownMode } from './own-mode';

const fstab = '/etc/fstab';
const mark = '# off by Strata: ';
const swapLine = /^\s*[^#\s]\S*\s+\S+\s+swap\s/;
const quiet = (text: string): string => text.split('\n').map((line) => (swapLine.test(line) ? mark + line : line)).join('\n'); // prettier-ignore
const loud = (text: string): string => text.split('\n').map((line) => (line.startsWith(mark) ? line.slice(mark.length) : line)).join('\n'); // prettier-ignore

async function look(host: Host): Promise<{ devices: string[]; table: string }> {
  return { devices: (await host.mounts.swap()).map((s) => s.device), table: (await host.files.read(fstab)) ?? '' };
}

export const swapPolicy = defineTask({
  name: 'swap.policy', version: 1, layer: 'native', timeout: '5m', attempts: 2,
  title: 'Swap is as the spec says',
  input: z.strictObject({ policy: z.enum(['keep', 'off']) }),
  before: z.strictObject({ devices: z.array(z.string()), file: FileImage }),
  output: z.strictObject({}),
  async check({ host, input }) {
    if (input.policy === 'keep') return { state: 'satisfied', output: {} };
    const { devices, table } = await look(host);
    if (devices.length === 0 && quiet(table) === table) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: devices.length > 0 ? `swap is on: ${devices.join(', ')}` : 'swap would be on after a reboot', before: { devices, file: await host.files.image(fstab) } };
  },
  async apply({ host }) {
    const { devices, table } = await look(host);
    if (quiet(table) !== table) await host.files.write(fstab, quiet(table), { mode: await ownMode(host, fstab) });
    for (const device of devices) await host.mounts.swapOff(device);
  },
  async undo({ host, before }) {
    const { devices, table } = await look(host);
    if (loud(table) !== table) await host.files.write(fstab, loud(table), { mode: before.file.mode });
    for (const device of before.devices) if (!devices.includes(device)) await host.mounts.swapOn(device);
  },
}); // prettier-ignore
