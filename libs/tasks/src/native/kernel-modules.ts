import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';
import { blocker } from './findings';

const file = '/etc/modules-load.d/strata.conf';
const ModuleName = z.string().regex(/^[a-z0-9_]{1,60}$/);
const text = (modules: readonly string[]): string => `# Written by Strata\n${modules.join('\n')}\n`;

async function look(host: Host, modules: readonly string[]): Promise<{ missing: string[]; absent: string[]; loadable: string[] }> {
  const states = await Promise.all(modules.map(async (name) => ({ name, state: await host.kernel.module(name) })));
  return {
    missing: states.filter((s) => s.state === 'available').map((s) => s.name),
    absent: states.filter((s) => s.state === 'absent').map((s) => s.name),
    loadable: states.filter((s) => s.state === 'available' || s.state === 'loaded').map((s) => s.name),
  };
}

export const kernelModules = defineTask({
  name: 'kernel.modules', version: 1, layer: 'native', timeout: '1m', attempts: 2,
  title: 'The kernel modules are loaded, now and after a reboot',
  input: z.strictObject({ modules: z.array(ModuleName) }),
  before: z.strictObject({ file: FileImage, unloaded: z.array(z.string()) }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const { missing, absent, loadable } = await look(host, input.modules);
    if (absent.length > 0) return { state: 'refused', findings: absent.map((name) => blocker('kernel.no-module', `this kernel has no module ${name}`, 'install the kernel package that holds it, or another kernel')) };
    const kept = loadable.length === 0 || (await host.files.read(file)) === text(loadable);
    if (missing.length === 0 && kept) return { state: 'satisfied', output: {} };
    const before = { file: await host.files.image(file), unloaded: missing };
    return { state: 'unsatisfied', reason: missing.length > 0 ? `not loaded: ${missing.join(', ')}` : 'they would not be loaded after a reboot', before };
  },
  async apply({ host, input }) {
    const { missing, loadable } = await look(host, input.modules);
    await host.files.write(file, text(loadable));
    for (const name of missing) await host.kernel.loadModule(name);
  },
  async undo({ host, before }) {
    await host.files.restore(before.file);
    for (const name of [...before.unloaded].reverse()) await host.kernel.unloadModule(name);
  },
}); // prettier-ignore
