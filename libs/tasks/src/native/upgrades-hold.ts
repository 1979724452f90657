import { PackageName } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { info } from './findings';

const apt = '/etc/apt/apt.conf.d/52strata-unattended-upgrades';
const dnf = '/etc/dnf/automatic.conf';

/** unattended-upgrades takes each as a regular expression from the name's first letter on. */
const aptText = (packages: readonly string[]): string =>
  `// Written by Strata: until uninstall, what the kubelet stands on is upgraded by people only\nUnattended-Upgrade::Package-Blacklist {\n${packages.map((p) => `  "${p.replaceAll(/[.+]/g, '\\$&')}$";\n`).join('')}};\n`;

/** dnf-automatic's own settings, in which its section [base] leaves these out. dnf by hand is not touched. */
export function dnfText(text: string, packages: readonly string[]): string {
  const lines = text.split('\n');
  const begin = lines.findIndex((l) => /^\s*\[base\]\s*$/.test(l));
  if (begin < 0) return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}\n[base]\nexcludepkgs = ${packages.join(' ')}\n`;
  const next = lines.findIndex((l, i) => i > begin && /^\s*\[/.test(l));
  const at = lines.findIndex((l, i) => i > begin && (next < 0 || i < next) && /^\s*exclude(pkgs)?\s*=/.test(l));
  if (at < 0) return [...lines.slice(0, begin + 1), `excludepkgs = ${packages.join(' ')}`, ...lines.slice(begin + 1)].join('\n');
  const [key = '', value = ''] = (lines[at] ?? '').split(/=(.*)/s);
  const has = value.split(/[\s,]+/).filter(Boolean);
  const more = packages.filter((p) => !has.includes(p));
  return more.length === 0 ? text : lines.map((l, i) => (i === at ? `${key.trimEnd()} = ${[...has, ...more].join(' ')}` : l)).join('\n');
}
/** The file that the machine's way of upgrading by itself reads, and what it is to say. Null: nothing here upgrades by itself. */
async function wanted(host: Host, packages: readonly string[]): Promise<{ path: string; content: string } | null> {
  const manager = await host.packages.manager();
  if (manager === 'apt') return { path: apt, content: aptText(packages) };
  const settings = manager === 'dnf' ? await host.files.read(dnf) : null;
  return settings === null ? null : { path: dnf, content: dnfText(settings, packages) };
}

/** Machines that upgrade packages by themselves leave out what the kubelet stands on: a runtime that restarts at night takes the pods with it. */
export const upgradesHold = defineTask({
  name: 'upgrades.hold', version: 1, layer: 'native', timeout: '1m', attempts: 2,
  title: 'Nothing that the node stands on is upgraded behind its back',
  input: z.strictObject({ packages: z.array(PackageName) }),
  before: z.strictObject({ file: FileImage }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const file = await wanted(host, input.packages);
    if (file === null) return { state: 'satisfied', output: {}, findings: [info('upgrades.none', 'this machine does not upgrade packages by itself')] };
    if ((await host.files.read(file.path)) === file.content) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: `${file.path} does not leave out ${input.packages.join(', ')}`, before: { file: await host.files.image(file.path) } };
  },
  async apply({ host, input }) {
    const file = await wanted(host, input.packages);
    if (file !== null) await host.files.write(file.path, file.content);
  },
  async verify({ host, input }) {
    if ((await host.packages.manager()) !== 'apt') return;
    const said = await must(host, ['apt-config', 'dump', 'Unattended-Upgrade::Package-Blacklist'], { remedy: `see what apt says of ${apt}, then retry the step` });
    const absent = input.packages.filter((p) => !said.stdout.includes(`"${p.replaceAll(/[.+]/g, '\\$&')}$"`));
    if (absent.length > 0) throw new TaskError('upgrades-not-held', `apt does not take ${apt}: it would still upgrade ${absent.join(', ')} by itself`, { remedy: 'see `apt-config dump Unattended-Upgrade`: a later file may clear the list; then retry the step' });
  },
  async undo({ host, before }) {
    await host.files.restore(before.file);
  },
}); // prettier-ignore
