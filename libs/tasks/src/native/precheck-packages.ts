import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker, info, warning } from './findings';

/** The package manager: nothing half done, and who holds its lock. */
export const precheckPackages = definePrecheck({
  name: 'precheck.packages', version: 1,
  title: 'Packages can be installed',
  input: z.strictObject({}),
  async look({ host }) {
    const { packages, packageManager } = await host.facts('packages', 'packageManager');
    if (packageManager === null) return [];
    const found = [];
    if (packages.interrupted) {
      const names = await host.packages.interrupted();
      found.push(blocker('package.interrupted', `dpkg was interrupted, and left half done: ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`, 'run `dpkg --configure -a` on this machine'));
    }
    if (packages.lockHolder) found.push(warning('package.lock', `dpkg's lock is held by ${packages.lockHolder}`, 'nothing needs to be done: Strata waits for it'));
    if (packages.unattendedUpgrades) found.push(info('package.unattended-upgrades', 'this machine upgrades packages by itself: Strata waits for it where they meet'));
    return found;
  },
}); // prettier-ignore
