import type { NewEvent } from '@strata/model';
import { decide } from './decide';
import { estimate } from './estimate';
import { fold } from './fold';
import { renderTree } from './render';
import { renderLine } from './render-line';
import { failureOf, life, planOf, play, situationOf, stepOf } from './testing';

const plan = planOf([
  stepOf('n1/check', { phase: 'precheck' }),
  stepOf('n1/packages', { needs: ['n1/check'] }),
  stepOf('n1/api', { needs: ['n1/packages'], phase: 'activate' }),
  stepOf('n2/join', { needs: ['n1/api'] }),
  stepOf('n3/check', { phase: 'precheck' }),
  stepOf('cluster/net', { needs: ['n1/api'], phase: 'activate' }),
]);
const progress: NewEvent = {
  kind: 'OrderProgressed',
  step: 'n1/packages',
  node: 'n1',
  body: { attempt: 1, epoch: 1, action: 'run', fraction: 0.456, note: 'Unpacking\u001b[31m gcc\n' },
};
const events = [
  ...life('n1/check', 'changed'),
  ...life('n3/check', 'failed', { result: { failure: failureOf('no space') } }),
  ...life('n1/packages'),
  progress,
];
const tree = (more: { width?: number; height?: number; color?: (tone: string, text: string) => string } = {}): string[] => {
  const view = play(plan, ...events);
  const now = 20_000;
  const { waits, standings } = decide(plan, view, situationOf(plan, { now }));
  return renderTree(plan, view, { now, waits, width: 100, height: 50, estimate: estimate(plan, view, { now, standings }), ...more });
};

describe('renderTree', () => {
  it('shows by node and phase what is done, runs, failed and waits', () => {
    expect(tree().join('\n')).toMatchInlineSnapshot(`
     "install running  1/6 steps, 1 changed, 1 failed  20 s, about 15 s left
     n1 control-plane  1/3  about 15 s left
       ✓ precheck  1/1  1 changed
       ▸ install   0/1
         ● packages is in place  12 s  45 %  Unpacking [31m gcc 
       · activate  0/1
         · api is in place: waits for n1/packages, which runs since 12 s, since 20 s; ended by: n1/packa…
     n2 worker  0/1  about 15 s left
       · install   0/1
         · join is in place: waits for n1/api, which waits for n1/packages, which runs since 12 s, since…
     n3 worker  0/1
       ✗ precheck  0/1
         ✗ n3/check: no space
           look at it
     cluster for all nodes  0/1  about 15 s left
       · activate  0/1
         · net is in place: waits for n1/api, which waits for n1/packages, which runs since 12 s, since …"
    `);
  });
  it('keeps to width and height, what matters most last to go', () => {
    const lines = tree({ width: 30, height: 6 });
    expect(lines.length).toBe(6);
    for (const line of lines) expect([...line].length).toBeLessThanOrEqual(30);
    expect(lines.join('\n')).toContain('n3/check: no space');
    expect(lines.at(-1)).toBe('… 12 more lines');
  });
  it('counts the width without colours', () => {
    const bare = tree({ width: 40 });
    const colored = tree({ width: 40, color: (tone, text) => `<${tone}>${text}</>` });
    expect(colored.map((l) => l.replace(/<\/?[a-z]*>/g, ''))).toEqual(bare);
  });
});

const lines = (...all: NewEvent[]): string[] => {
  let view = play(plan);
  return all.flatMap((e, i) => {
    const event = { ...e, runId: 'r1', seq: 3 + i, at: 1000 * (i + 1), step: e.step ?? null, node: e.node ?? null };
    view = fold(view, event);
    return renderLine(event, view) ?? [];
  });
};
describe('renderLine', () => {
  it('says each attempt once when it begins and once when it ends', () => {
    const [released, started, settled] = life('n1/check', 'changed') as [NewEvent, NewEvent, NewEvent];
    expect(lines(released, started, started, settled, settled)).toEqual(['n1/check: begins', 'n1/check: changed in 2 s']);
  });
  it('says failures with their cause and remedy', () => {
    const failure = { ...failureOf('apt-get ended with 100'), cause: ['E: no space left'] };
    expect(lines(...life('n1/check', 'failed', { result: { failure } })).at(-1)).toBe(
      'n1/check: FAILED in 1 s: apt-get ended with 100\n  because: E: no space left\n  remedy: look at it',
    );
  });
  it('says who looked: a machine, or the server, which can make no plan', () => {
    const checked = (node: string | null): NewEvent => ({
      kind: 'NodeChecked',
      ...(node === null ? {} : { node }),
      body: { findings: [{ severity: 'blocker', code: 'x', message: 'no', remedy: 'look' }], via: 'ssh', reachable: true, message: '' },
    });
    expect(lines(checked('n1'), checked(null)).map((line) => line.split('\n')[0])).toEqual([
      'n1 checked over ssh: 1 finding',
      'no plan can be made: 1 finding',
    ]);
  });
  it('says what happens to the run', () => {
    const said = lines(
      { kind: 'NodeAbsent', node: 'n2', body: { lastSeenMs: 0, waitedMs: 125_000 } },
      { kind: 'NodeReturned', node: 'n2', body: {} },
      { kind: 'CancelRequested', body: { by: 'ops', reason: 'wrong' } },
      { kind: 'RunEnded', body: { result: 'cancelled', because: 'cancelled by ops: wrong' } },
    );
    expect(said).toEqual([
      'n2 is absent: silent for 2 min 5 s; the others go on, and it is finished when it comes back',
      'n2 is back',
      'cancelled by ops: wrong: nothing new begins, what runs is stopped',
      'cancelled after 4 s: cancelled by ops: wrong',
    ]);
  });
});
