import type { MountHealth } from '@strata/model';
import type { Session } from '../sessions/sessions';
import { MarkStorage } from './storage-marks';

const health = (state: MountHealth['state']): MountHealth => ({ path: '/strata/rootfs', state, words: `it ${state}`, latencyMs: null, since: 0, remounts: 0 });
const session = { nodeId: 'node-1', clusterId: 'c', name: 'n1' } as Session;

/** A server around it: what Kubernetes was told, and how it answers. */
function server(): { marks: MarkStorage; told: unknown[]; settled: () => Promise<void>; later: (ms: number) => void; fail: (yes: boolean) => void } {
  const told: unknown[] = [];
  let [now, fails] = [1_000_000, false];
  const marks = new MarkStorage();
  const mark = (node: string, bad: unknown): Promise<boolean> => {
    told.push([node, bad]);
    return fails ? Promise.reject(new Error('the API is away')) : Promise.resolve(true);
  };
  const log = { info: () => undefined, warn: () => undefined };
  Object.assign(marks, { edges: { now: () => now, log, sessions: { of: () => session } }, clusters: { storageMarks: () => Promise.resolve({ mark }) } });
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { marks, told, settled, later: (ms) => (now += ms), fail: (yes) => (fails = yes) };
}

test('Kubernetes is told when the state changes, and now and then; not with each heartbeat', async () => {
  const { marks, told, settled, later } = server();
  for (const state of ['ok', 'ok', 'hangs', 'hangs', 'ok'] as const) {
    marks.heard(session, health(state));
    await settled();
    later(5_000);
  }
  expect(told).toEqual([['n1', null], ['n1', { reason: 'MountHangs', message: 'it hangs' }], ['n1', null]]); // prettier-ignore
  later(60_000);
  marks.heard(session, health('ok'));
  await settled();
  expect(told).toHaveLength(4);
  expect(marks.of('node-1')).toMatchObject({ state: 'ok' });
});
test('an API that is away is told again later, and then what is so by then', async () => {
  const { marks, told, settled, later, fail } = server();
  fail(true);
  marks.heard(session, health('dead'));
  await settled();
  marks.heard(session, health('dead'));
  await settled();
  expect(told).toHaveLength(1);
  fail(false);
  later(10_000);
  marks.heard(session, health('ok'));
  await settled();
  expect(told.at(-1)).toEqual(['n1', null]);
});
test('a node without a shared mount is nothing to tell of; one that lost it is told of once; what is no health is none', async () => {
  const { marks, told, settled } = server();
  for (const said of [undefined, { state: 'odd' }]) marks.heard(session, said);
  await settled();
  expect(told).toEqual([]);
  marks.heard(session, health('stopped'));
  await settled();
  for (let n = 0; n < 2; n += 1) {
    marks.heard(session, undefined);
    await settled();
  }
  expect(told.slice(1)).toEqual([['n1', null]]);
  expect(marks.of('node-1')).toBeNull();
});
