import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';
import { TaskError } from '../task-error';
import { info } from './findings';

const folder = '/etc/systemd/journald.conf.d';
const file = `${folder}/90-strata.conf`;
const service = 'systemd-journald.service';
const wanted = (maxUseMb: number): string => `# Written by Strata\n[Journal]\nSystemMaxUse=${maxUseMb}M\n`;

/** The file in which somebody else already says how large the journal may grow, or null. */
async function cappedBy(host: Host): Promise<string | null> {
  const dropIns = (await host.files.list(folder)).map((name) => `${folder}/${name}`).filter((path) => path.endsWith('.conf') && path !== file);
  for (const path of ['/etc/systemd/journald.conf', ...dropIns]) if (/^\s*SystemMaxUse\s*=\s*\S/m.test((await host.files.read(path)) ?? '')) return path;
  return null;
}

/** The journal leaves the disk to the cluster: pods fill it fast. A limit that the machine's owner has set is left as it is. */
export const journaldConfigure = defineTask({
  name: 'journald.configure', version: 1, layer: 'native', timeout: '1m', attempts: 2,
  title: 'The journal does not outgrow the disk',
  input: z.strictObject({ maxUseMb: z.int().min(16).max(1_000_000) }),
  before: z.strictObject({ file: FileImage }),
  output: z.strictObject({}),
  async check({ host, input }) {
    if ((await host.files.read(file)) === wanted(input.maxUseMb)) return { state: 'satisfied', output: {} };
    const owner = await cappedBy(host);
    if (owner !== null) return { state: 'satisfied', output: {}, findings: [info('journal.capped', `${owner} limits the journal already and is left as it is`)] };
    return { state: 'unsatisfied', reason: 'the journal may take a tenth of the disk', before: { file: await host.files.image(file) } };
  },
  async apply({ host, input }) {
    await host.files.write(file, wanted(input.maxUseMb));
  },
  async verify({ host }) {
    await host.units.restart(service); // here, not in apply: also a file that an agent wrote just before it died is taken up
    if ((await host.units.state(service)).active === 'active') return;
    throw new TaskError('journal-down', `${service} does not run with ${file}`, { remedy: `see \`systemctl status ${service}\`, then retry the step`, retry: true });
  },
  async undo({ host, before }) {
    await host.files.restore(before.file);
    await host.units.restart(service);
  },
}); // prettier-ignore
