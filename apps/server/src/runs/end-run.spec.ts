import { stateAfter } from './end-run';

const after = (
  kind: 'install' | 'add-node' | 'remove-node' | 'uninstall' | 'finish' | 'verify-storage' | 'migrate-storage',
  result: string,
  more: object = {},
) => ({
  run: { intent: { kind, nodes: [], dryRun: false, force: false, ...more } },
  view: { result: result as 'done' },
  hasKubeconfig: true,
  missesNodes: false,
});

test.each([
  ['installing', after('install', 'done'), 'ready'],
  ['installing', after('install', 'degraded'), 'degraded'],
  ['installing', { ...after('install', 'failed'), hasKubeconfig: false }, 'failed'],
  ['installing', { ...after('install', 'unwound'), hasKubeconfig: false }, 'new'],
  ['installing', { ...after('install', 'done', { until: 'prepare' }), hasKubeconfig: false }, 'new'],
  ['ready', after('install', 'planned', { dryRun: true }), 'ready'],
  ['ready', after('install', 'refused'), 'ready'],
  ['ready', after('add-node', 'failed'), 'degraded'],
  ['degraded', after('add-node', 'done'), 'ready'],
  ['degraded', { ...after('add-node', 'done'), missesNodes: true }, 'degraded'],
  ['ready', after('remove-node', 'done'), 'ready'],
  ['degraded', after('finish', 'done'), 'ready'],
  ['ready', after('uninstall', 'done'), 'uninstalled'],
  ['ready', after('uninstall', 'failed'), 'degraded'],
  ['ready', after('verify-storage', 'failed'), 'ready'],
  ['ready', after('migrate-storage', 'failed'), 'ready'],
] as const)('%s, then %o: %s', (before, what, state) => {
  expect(stateAfter(before, what)).toBe(state);
});
