import { foldAll, type RunView } from '@strata/run';
import { opening, planOf, settled, stepOf } from '@strata/run/testing';
import { looksOf, planText, wouldChange } from './plan-text';

/** A dry run of one step on n1 that was looked at. */
function looked(result: object, absent: string[] = []): RunView {
  const order = { attempt: 1, epoch: 1, action: 'check' as const };
  const events = [
    ...opening(planOf([stepOf('n1/a')], { absent }), { dryRun: true }),
    { kind: 'OrderReleased' as const, step: 'n1/a', node: 'n1', body: { ...order, orderId: 'r1.n1_a.check' } },
    settled({ ...order, step: 'n1/a', node: 'n1' }, 'satisfied', result),
    { kind: 'RunEnded' as const, body: { result: 'planned' as const, because: 'a dry run: words' } },
  ];
  return foldAll('r1', events.map((e, i) => ({ step: null, node: null, ...e, runId: 'r1', seq: i + 1, at: i }))); // prettier-ignore
}
test.each<[string, RunView, boolean, RegExp]>([
  ['all is as it should be', looked({ output: {} }), false, /= a is in place {2}\(a\)\n\nNothing to do: all 1 steps were looked at/],
  ['something is not', looked({ reason: 'it is 1, want 2' }), true, /\+ a is in place {2}\(a\): it is 1, want 2\n\nA dry run: words\./],
  ['a machine could not be asked', looked({ output: {} }, ['n9']), true, /strata apply does it\. n9 could not be asked\.$/],
])("a plan says when %s", (...[, view, changes, text]) => {
  expect(planText(view)).toMatch(text);
  expect(wouldChange(view, looksOf(view))).toBe(changes);
}); // prettier-ignore
