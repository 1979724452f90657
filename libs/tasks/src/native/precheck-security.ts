import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { info, warning } from './findings';

/** Firewall, SELinux and AppArmor: found and named. */
export const precheckSecurity = definePrecheck({
  name: 'precheck.security', version: 1,
  title: 'Firewall and access control are known',
  input: z.strictObject({ firewall: z.enum(['open-ports', 'ignore']).default('open-ports') }),
  async look({ host, input }) {
    const { firewall, security } = await host.facts('firewall', 'security');
    const found = [];
    const names = [...new Set([...firewall.tools.filter((t) => t === 'ufw' || t === 'firewalld' || !firewall.chains), ...(firewall.chains ?? [])])].join(', ');
    if ((firewall.dropsInput || firewall.dropsForward) && input.firewall === 'ignore') found.push(warning('firewall.drops', `the firewall (${names}) drops what is not allowed, and the spec says to leave it alone`, 'open the ports of Kubernetes and the forwarding of pods yourself, or set `native.firewall: open-ports`'));
    if ((firewall.dropsInput || firewall.dropsForward) && input.firewall === 'open-ports') found.push(info('firewall.opened', `the firewall (${names}) gets rules for the cluster; it is never switched off`));
    if (security.selinux === 'enforcing') found.push(warning('selinux.enforcing', 'SELinux is enforcing: containers need the package container-selinux', 'install container-selinux, or add it to `native.packages`'));
    return found;
  },
}); // prettier-ignore
