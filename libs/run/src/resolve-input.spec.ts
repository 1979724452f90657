import { resolveInput, secretRefs } from './resolve-input';
import { life, planOf, play, stepOf } from './testing';

const plan = planOf([stepOf('cluster/obtain'), stepOf('n1/b')]);
const view = play(plan, ...life('cluster/obtain', 'satisfied', { result: { output: { artifact: { sha: 'x', parts: [1, 2] } } } }));
const ref = (path: string, step = 'cluster/obtain'): unknown => ({ deep: [{ at: { $output: step, path } }] });

describe('resolveInput', () => {
  it('puts outputs in place at any depth, and leaves secrets and everything else alone', () => {
    const input = { a: ref('artifact.parts.1'), secret: { $secret: 'ssh:n1' }, list: ['x', null, 3] };
    expect(resolveInput(input, view)).toEqual({ ...input, a: { deep: [{ at: 2 }] } });
    expect(resolveInput({ $output: 'cluster/obtain', path: '' }, view)).toEqual({ artifact: { sha: 'x', parts: [1, 2] } });
  });
  it.each([
    [ref('artifact.nothing'), 'the output artifact.nothing of step cluster/obtain cannot be used: its output has no nothing'],
    [ref('artifact.__proto__'), 'its output has no __proto__'],
    [ref('x', 'n1/b'), 'the output x of step n1/b cannot be used: the step is waiting'],
    [ref('x', 'n1/z'), 'the plan has no such step'],
  ])('names step and path of what is missing: %j', (input, words) => expect(() => resolveInput(input, view)).toThrow(words));
});
describe('secretRefs', () => {
  it('finds each name once', () => {
    expect(secretRefs({ a: { $secret: 'x' }, b: [{ c: { $secret: 'y' } }, { $secret: 'x' }], d: 'no' })).toEqual([{ $secret: 'x' }, { $secret: 'y' }]);
  });
});
