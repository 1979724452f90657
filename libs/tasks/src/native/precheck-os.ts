import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker, warning } from './findings';

const tried: Record<string, string[]> = { debian: ['12', '13'], ubuntu: ['22.04', '24.04', '25.04'] };

/** The system: Linux on x86_64 with apt or dnf. */
export const precheckOs = definePrecheck({
  name: 'precheck.os', version: 1,
  title: 'The operating system is one that Strata installs on',
  input: z.strictObject({}),
  async look({ host }) {
    const { os, arch, packageManager } = await host.facts('os', 'arch', 'packageManager');
    const found = [];
    if (arch !== 'x86_64') found.push(blocker('os.arch', `this machine's processor is ${arch}; only x86_64 is supported yet`, 'take a machine with an x86_64 processor'));
    if (packageManager === null) found.push(blocker('os.package-manager', `${os.name} has neither apt nor dnf`, 'use Debian, Ubuntu, or a system with dnf'));
    else if (!(tried[os.id] ?? []).includes(os.version))
      found.push(warning('os.untried', `${os.name} was not tried with Strata`, 'it may work; Debian 12 and 13 and Ubuntu 22.04 and later are tried'));
    return found;
  },
}); // prettier-ignore
