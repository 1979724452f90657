// Real machines: systemd-nspawn nodes, a built control server, built agents. Needs root. One file after the other: they share two cores and an apt mirror.
import preset from '../jest.preset.mjs';

const root = import.meta.dirname;
const LONG = [
  ...['failed-install', 'absent', 'join', 'secrets', 'storage(-\\w+)?', 'rollout', 'apps', 'platform'],
  ...['proxy', 'firewall', 'nat', 'ssh-ways', 'foreign', 'machine-kinds', 'upkeep'],
];
export default {
  ...preset,
  displayName: 'lab',
  rootDir: root,
  roots: [`${root}/lab`],
  testMatch: ['**/*.lab.spec.ts'],
  // The long ones belong to `npm run test:faults`: cancelling an install at each of its steps, an absent node, the ways of joining, canaries all through an install, the shared file system, rollouts that fail, applications and their data, the platform (its programs take minutes to compile), and what surrounds a machine: proxies, firewalls, NAT, the ways of logging in, what others installed, other kinds of machine. `npm test` stays at an hour on a slow machine that compiles Kubernetes first.
  testPathIgnorePatterns: process.env.STRATA_FAULTS === 'all' ? [] : LONG.map((n) => `/lab/${n}\\.lab\\.spec\\.ts$`),
  globalSetup: `${root}/lab/support/global-setup.mjs`,
  testTimeout: 600_000,
  maxWorkers: 1,
  verbose: true,
};
