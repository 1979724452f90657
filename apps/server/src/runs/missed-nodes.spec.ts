import type { RunIntent } from '@strata/model';
import type { RunView } from '@strata/run';
import { MissedNodes, tellingRuns } from './missed-nodes';

const run = (kind: RunIntent['kind'], result: string, { nodes = [], dryRun = false }: Partial<RunIntent> = {}) => ({
  id: `${kind} ${nodes.join(' ')}`, result: result as 'done', intent: { kind, nodes, dryRun, force: false },
}); // prettier-ignore
const missedOf = (absent: Record<string, string[]>): MissedNodes => {
  const view = (id: string): Promise<Partial<RunView>> => Promise.resolve({ absent: new Map((absent[id] ?? []).map((n) => [n, 0])), steps: new Map() });
  return Object.assign(new MissedNodes(), { book: { view, forget: () => undefined } });
};

test('the newest run of all nodes counts, and what was added since; a plan and a refused finish do not', () => {
  const install = run('install', 'degraded');
  const added = run('add-node', 'done', { nodes: ['n4'] });
  const older = run('install', 'degraded', { nodes: ['old'] });
  expect(tellingRuns([run('install', 'planned', { dryRun: true }), run('finish', 'refused'), added, install, older])).toEqual([added, install]);
  expect(tellingRuns([added])).toEqual([added]);
});
test.each([
  ['one that was off is missed still when another was added meanwhile', [run('add-node', 'done', { nodes: ['n4'] }), run('install', 'degraded')], true, ['n3']],
  ['one that was added again is missed no more', [run('add-node', 'done', { nodes: ['n3'] }), run('install', 'degraded')], true, []],
  ['nobody is missed after a run that ended well', [run('finish', 'done'), run('install', 'degraded')], false, []],
])('%s', async (...[, runs, degraded, nodes]) => {
  const telling = tellingRuns(runs);
  const missed = await missedOf({ 'install ': ['n3'] }).by(telling as never);
  expect([telling.some((r) => (r.result as string) === 'degraded'), [...missed]]).toEqual([degraded, nodes]);
});
test('a cluster on which nothing was ever installed misses nobody', async () => {
  expect(tellingRuns([])).toEqual([]);
  expect(await missedOf({}).by([])).toEqual(new Set());
});
