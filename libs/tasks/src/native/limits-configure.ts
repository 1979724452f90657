import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';

const file = '/etc/security/limits.d/90-strata.conf';
/** No more than the machine itself may have: a container's limit is its host's. */
async function wanted(host: Host, nofile: number): Promise<string> {
  const hard = (await host.facts('nofile')).nofile;
  const most = hard > 0 ? Math.min(nofile, hard) : nofile;
  return ['# Written by Strata', ...['*', 'root'].flatMap((who) => [`${who} soft nofile ${most}`, `${who} hard nofile ${most}`]), ''].join('\n');
}

export const limitsConfigure = defineTask({
  name: 'limits.configure', version: 1, layer: 'native', timeout: '1m', attempts: 2,
  title: 'Sessions may open enough files',
  input: z.strictObject({ nofile: z.int().min(1024).max(1_073_741_816) }),
  before: z.strictObject({ file: FileImage }),
  output: z.strictObject({}),
  async check({ host, input }) {
    if ((await host.files.read(file)) === (await wanted(host, input.nofile))) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: `${file} is not as wanted`, before: { file: await host.files.image(file) } };
  },
  async apply({ host, input }) {
    await host.files.write(file, await wanted(host, input.nofile));
  },
  async undo({ host, before }) {
    await host.files.restore(before.file);
  },
}); // prettier-ignore
