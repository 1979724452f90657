import { join } from 'node:path';

/** Where the agent lives on its node. All but the binary and the unit can be moved, so that tests run beside an installed agent. */
export interface Paths {
  config: string; // 0600
  state: string; // 0700
  unit: string;
}
export const defaultPaths: Paths = { config: '/etc/strata/agent.yaml', state: '/var/lib/strata', unit: '/etc/systemd/system/stratad.service' };
export const identityFiles = (p: Paths): { key: string; certificate: string; ca: string } => ({
  key: join(p.state, 'identity/agent.key'),
  certificate: join(p.state, 'identity/agent.pem'),
  ca: join(p.state, 'identity/ca.pem'),
});
