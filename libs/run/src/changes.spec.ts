import type { NewEvent } from '@strata/model';
import { cancelRun, NotPossible, resumeRun, retryStep } from './changes';
import { life, planOf, play, stepOf } from './testing';

const plan = planOf([stepOf('n1/a')]);
const ended = (result: 'failed' | 'done'): NewEvent => ({ kind: 'RunEnded', body: { result, because: '' } });
const refusal = (ask: () => unknown): string => {
  try {
    ask();
    return 'nothing was refused';
  } catch (error) {
    return error instanceof NotPossible && error.remedy !== '' ? error.code : String(error);
  }
};

describe('what an operator may ask for', () => {
  it('retries a failed step and nothing else', () => {
    const failed = play(plan, ...life('n1/a', 'failed'));
    expect(retryStep(failed, 'n1/a', 'ops')).toEqual([{ kind: 'StepRetried', step: 'n1/a', node: 'n1', body: { by: 'ops' } }]);
    expect(refusal(() => retryStep(play(plan), 'n1/a', 'ops'))).toBe('step-not-failed');
    expect(refusal(() => retryStep(failed, 'n1/z', 'ops'))).toBe('no-such-step');
    expect(refusal(() => retryStep(play(plan, ended('failed')), 'n1/a', 'ops'))).toBe('run-ended');
  });
  it('cancels an open run, once', () => {
    const asked = cancelRun(play(plan), 'ops', 'why not');
    expect(asked).toHaveLength(1);
    expect(cancelRun(play(plan, ...asked), 'ops', '')).toEqual([]);
    expect(refusal(() => cancelRun(play(plan, ended('done')), 'ops', ''))).toBe('run-ended');
  });
  it('resumes what ended unfinished or is held', () => {
    expect(resumeRun(play(plan, ended('failed')), 'ops', 2)).toEqual([{ kind: 'RunResumed', body: { by: 'ops', epoch: 2 } }]);
    expect(resumeRun(play(plan, { kind: 'RunHeld', body: { because: '' } }), 'ops', 2)).toHaveLength(1);
    expect(refusal(() => resumeRun(play(plan), 'ops', 2))).toBe('run-open');
    expect(refusal(() => resumeRun(play(plan, ended('done')), 'ops', 2))).toBe('run-complete');
    expect(refusal(() => resumeRun({ ...play(plan), plan: null }, 'ops', 2))).toBe('not-planned');
  });
});
