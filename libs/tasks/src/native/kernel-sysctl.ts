import type { Finding } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';
import { blocker, warning } from './findings';

const file = '/etc/sysctl.d/90-strata.conf';
const Key = z.string().regex(/^(net|vm|kernel|fs|user)\.[a-z0-9_./-]{1,120}$/);
const Value = z.string().regex(/^-?\d{1,20}( -?\d{1,20})*$/);
type Settings = Record<string, string>;
/** Limits, of which more than asked for is fine and stays. */
const limits =
  /^(fs\.inotify\.|fs\.file-max$|vm\.max_map_count$|kernel\.pid_max$|kernel\.threads-max$|net\.core\.somaxconn$|net\.netfilter\.nf_conntrack_max$)/;

const text = (settings: Settings): string => `# Written by Strata\n${Object.entries(settings).map(([k, v]) => `${k} = ${v}`).join('\n')}\n`; // prettier-ignore
const suits = (key: string, is: string, wanted: string): boolean => is === wanted || (limits.test(key) && Number(is) >= Number(wanted));

/** What is not as wanted: key by the value it has. Keys that are not there at all are named apart. */
async function look(host: Host, settings: Settings): Promise<{ wrong: Settings; unknown: string[] }> {
  const wrong: Settings = {};
  const unknown: string[] = [];
  for (const [key, wanted] of Object.entries(settings)) {
    const is = await host.kernel.sysctl(key);
    if (is === null) unknown.push(key);
    else if (!suits(key, is, wanted)) wrong[key] = is;
  }
  return { wrong, unknown };
}

export const kernelSysctl = defineTask({
  name: 'kernel.sysctl', version: 1, layer: 'native', timeout: '1m', attempts: 2,
  title: 'The kernel settings are made, now and after a reboot',
  input: z.strictObject({ settings: z.record(Key, Value) }),
  before: z.strictObject({ values: z.record(z.string(), z.string()), file: FileImage }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const { wrong, unknown } = await look(host, input.settings);
    if (unknown.length > 0) return { state: 'unknown', until: `the kernel knows ${unknown.join(', ')} (kernel.modules)` };
    const fixed = (await host.facts('readOnlySysctl')).readOnlySysctl ? Object.keys(wrong).filter((key) => !key.startsWith('net.')) : [];
    const findings: Finding[] = fixed.filter((key) => limits.test(key)).map((key) => warning('sysctl.read-only', `${key} is ${wrong[key]}, not ${input.settings[key]}, and cannot be set inside this container`, `set it on the container's host`)); // prettier-ignore
    const refused = fixed.filter((key) => !limits.test(key));
    if (refused.length > 0) return { state: 'refused', findings: refused.map((key) => blocker('sysctl.read-only', `${key} is ${wrong[key]}, not ${input.settings[key]}, and cannot be set inside this container`, `set ${key} = ${input.settings[key]} on the container's host`)) }; // prettier-ignore
    const left = Object.keys(wrong).filter((key) => !fixed.includes(key));
    const kept = Object.keys(input.settings).length === 0 || (await host.files.read(file)) === text(input.settings);
    if (left.length === 0 && kept) return { state: 'satisfied', output: {}, findings };
    const values = Object.fromEntries(left.map((key) => [key, wrong[key] ?? '']));
    const reason = left.length > 0 ? left.map((key) => `${key} is ${wrong[key]}`).join(', ') : 'they would not be made after a reboot';
    return { state: 'unsatisfied', reason, before: { values, file: await host.files.image(file) }, findings };
  },
  async apply({ host, input }) {
    const readOnly = (await host.facts('readOnlySysctl')).readOnlySysctl;
    const { wrong } = await look(host, input.settings);
    await host.files.write(file, text(input.settings));
    for (const key of Object.keys(wrong)) if (!readOnly || key.startsWith('net.')) await host.kernel.setSysctl(key, input.settings[key] ?? '');
  },
  async undo({ host, before }) {
    await host.files.restore(before.file);
    for (const [key, value] of Object.entries(before.values)) if ((await host.kernel.sysctl(key)) !== null) await host.kernel.setSysctl(key, value);
  },
}); // prettier-ignore
