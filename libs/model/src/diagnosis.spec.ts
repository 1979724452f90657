import { type Check, diagnosisText, isHealthy, rootCauseFirst } from './diagnosis';

const check = (code: Check['code'], verdict: Check['verdict'], where = 'n1'): Check => ({
  code,
  where,
  verdict,
  title: 'it runs',
  cause: 'it does not',
  remedy: 'start it',
  evidence: ['its last word'],
});

test('the root cause comes first: what breaks the others before what it breaks, what is broken before what is only doubtful', () => {
  const found = [
    check('cluster.node', 'broken'),
    check('node.memory', 'warning'),
    check('node.kubelet', 'broken'),
    check('node.disk', 'broken', 'n2'),
    check('control.home', 'ok'),
    check('node.api', 'unknown'),
  ];
  expect(rootCauseFirst(found).map((c) => c.code)).toEqual(['node.disk', 'node.kubelet', 'cluster.node', 'node.api', 'node.memory', 'control.home']);
});
test('of two equal findings the one that came first stays first', () => {
  expect(rootCauseFirst([check('node.disk', 'broken', 'n1'), check('node.disk', 'broken', 'n0')]).map((c) => c.where)).toEqual(['n1', 'n0']);
});
test('well is who has nothing broken and nothing unknown; nothing looked at is not well', () => {
  expect([isHealthy([check('node.disk', 'ok'), check('node.memory', 'warning')]), isHealthy([check('node.disk', 'unknown')]), isHealthy([])]).toEqual([
    true,
    false,
    false,
  ]);
});
test('the text begins with what to mend first, and says how much is well', () => {
  const text = diagnosisText([check('cluster.node', 'broken'), check('node.kubelet', 'broken', 'n2'), check('node.disk', 'ok')]);
  expect(text.split('\n').slice(0, 5)).toEqual(['n2 is broken; the first finding is the one to mend first', '', 'BROKEN  n2: it runs: it does not', '    | its last word', '    what to do: start it']);
  expect(text).toMatch(/1 of 3 checks are well \(n2, n1\)$/);
  expect(diagnosisText([check('node.disk', 'ok')])).toBe('healthy: 1 of 1 checks are well (n1)');
  expect(diagnosisText([check('node.disk', 'ok')], { all: true })).toMatch(/^ok {2}n1: it runs/);
}); // prettier-ignore
