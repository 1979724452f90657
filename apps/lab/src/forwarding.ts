import { LabFailure } from './failure';
import { tryRun } from './programs';
import { inPath } from './tools';

/** Rules that let a bridge's traffic through a machine whose firewall drops what it forwards (Docker and ufw set that). */
export const forwardRules = (bridge: string): string[][] => [
  ['FORWARD', '-i', bridge, '-j', 'ACCEPT'],
  ['FORWARD', '-o', bridge, '-j', 'ACCEPT'],
];

/** Whether the answer of `iptables -S FORWARD` says that forwarded traffic is dropped unless a rule accepts it. */
export const dropsForwarded = (rules: string): boolean =>
  /^-P FORWARD DROP$/m.test(rules) || /^-A FORWARD( -m comment --comment \S+)? -j (DROP|REJECT)/m.test(rules);

/** Opens the machine's own firewall for a lab's bridge where it drops forwarded traffic; the lab's guard still rejects private destinations. */
export async function openForwarding(bridge: string): Promise<void> {
  if (!inPath('iptables')) return;
  const { stdout } = await tryRun('iptables', ['-w', '10', '-S', 'FORWARD']);
  if (!dropsForwarded(stdout)) return;
  for (const rule of forwardRules(bridge)) {
    if (stdout.includes(`-A ${rule.join(' ')}`)) continue;
    const { code, stderr } = await tryRun('iptables', ['-w', '10', '-I', ...rule]);
    if (code !== 0) {
      throw new LabFailure(`this machine's firewall drops forwarded traffic, and ${bridge} could not be let through`, {
        remedy: `allow it by hand: iptables -I ${rule.join(' ')}`,
        cause: new Error(stderr.trim()),
      });
    }
  }
}

/** Takes back what {@link openForwarding} added. */
export async function closeForwarding(bridge: string): Promise<void> {
  if (!inPath('iptables')) return;
  const { stdout } = await tryRun('iptables', ['-w', '10', '-S', 'FORWARD']);
  for (const rule of forwardRules(bridge)) if (stdout.includes(`-A ${rule.join(' ')}\n`)) await tryRun('iptables', ['-w', '10', '-D', ...rule]);
}
