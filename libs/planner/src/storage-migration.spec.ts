import type { Plan } from '@strata/model';
import { plan, PlanRefused } from './index';
import { intentOf, nodesOf, requestOf, specOf } from './testing/fixtures';

const enrolled = new Map(['n1', 'n2'].map((name) => [name, `id-${name}`]));
const spec = specOf({ nodes: nodesOf(2), storage: { kind: 'juicefs' } });
const planOf = (kind: 'migrate-storage' | 'commit-storage' | 'rollback-storage', from = 'n1'): Plan =>
  plan(requestOf(spec, { intent: intentOf(kind, [from]), enrolled }));
/** All that surely ended before a step begins. */
function before(made: Plan, key: string): Set<string> {
  const all = new Set<string>();
  const walk = (of: string): void => {
    for (const need of made.steps.find((s) => s.key === of)?.needs ?? []) if (!all.has(need) && all.add(need)) walk(need);
  };
  walk(key);
  return all;
}
const inOrder = (made: Plan, ...keys: string[]): void =>
  keys.slice(1).forEach((key, i) => expect([key, [...before(made, key)]]).toEqual([key, expect.arrayContaining([keys[i]])]));

describe('a migration', () => {
  const made = planOf('migrate-storage');

  it('looks at every tree and the room ahead of any change', () => {
    for (const s of made.steps.filter((m) => m.target === 'node' && m.phase !== 'precheck'))
      expect([s.key, [...before(made, s.key)]]).toEqual([
        s.key,
        expect.arrayContaining(['n1/migration.look', 'n2/migration.look', 'n1/migration.room', 'cluster/tree.freeze@possible']),
      ]);
  });
  it('copies twice before anybody stops, and once while nobody writes', () => {
    inOrder(
      made,
      'n1/juicefs.side-mount',
      'n1/tree.copy@first',
      'n1/tree.copy@second',
      'cluster/tree.freeze',
      'n1/tree.copy@last',
      'n1/tree.aside',
      'n1/juicefs.mount',
      'n1/tree.compare',
      'cluster/tree.thaw',
    );
    expect(before(made, 'cluster/tree.freeze')).toContain('n2/tree.copy@second');
  });
  it('sets no tree aside before all are copied, and starts nothing before all are equal', () => {
    expect(before(made, 'n1/tree.aside')).toContain('n2/tree.copy@last');
    for (const node of ['n1', 'n2']) expect(before(made, 'cluster/tree.thaw')).toContain(`${node}/tree.compare`);
  });
  it('is never unwound by itself: half of it may be the only whole tree', () => {
    const unwinding = specOf({ nodes: nodesOf(2), storage: { kind: 'juicefs' }, policy: { onFailure: 'unwind' } });
    expect(plan(requestOf(unwinding, { intent: intentOf('migrate-storage', ['n1']), enrolled })).steps.every((s) => s.onFailure === 'hold-dependents')).toBe(
      true,
    );
  });
  it('is refused from a node that is not there, and while one is away', () => {
    expect(() => planOf('migrate-storage', 'n9')).toThrow(/no node n9/);
    expect(() => plan(requestOf(spec, { intent: intentOf('migrate-storage', ['n1']), enrolled, absent: ['n2'] }))).toThrow(PlanRefused);
  });
});

it('deletes no old tree before each node has said that its own may go', () => {
  const made = planOf('commit-storage');
  for (const node of ['n1', 'n2']) expect([...before(made, `${node}/tree.drop`)].sort()).toEqual(['n1/migration.may-end', 'n2/migration.may-end']);
});

it('comes back by the same names, with what changed in the old tree before any mount goes, and the services last', () => {
  const made = planOf('rollback-storage');
  inOrder(made, 'cluster/tree.freeze', 'n1/tree.copy@back', 'n1/tree.compare', 'n2/juicefs.mount', 'n2/tree.back', 'cluster/tree.thaw');
  expect(before(made, 'n2/juicefs.mount')).toContain('n1/tree.compare');
  expect(made.steps.filter((s) => ['juicefs.mount', 'metadata.redis'].includes(s.task)).every((s) => s.action === 'undo')).toBe(true);
  expect(before(made, 'n1/metadata.redis')).toContain('n2/tree.back');
});
