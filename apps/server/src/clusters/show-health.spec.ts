import { jest } from '@jest/globals';
import { type Session, Sessions } from '../sessions/sessions';
import { ShowHealth } from './show-health';

const sessionOf = (nodeId: string): Session =>
  ({ id: 's', nodeId, clusterId: 'c', name: 'n1', link: { close: () => undefined }, holds: new Map() }) as unknown as Session;
const now = Date.parse('2026-11-30T11:21:05Z');

/** The health of a cluster with one machine, whose agent was heard so many ms ago. */
function healthOf(sessions: Sessions, silentMs: number): ShowHealth {
  const lastSeenAt = new Date(now - silentMs);
  const node = { id: 'i', clusterId: 'c', name: 'n1', state: 'enrolled', lastSeenAt };
  const store = {
    clusters: { lease: async () => Promise.resolve(null), spec: async () => Promise.resolve(null) },
  };
  return Object.assign(new ShowHealth(), {
    edges: { sessions, store, stopping: new AbortController().signal, now: () => now },
    clusters: { record: async () => Promise.resolve({ id: 'c', name: 'c', kubeconfig: null, specVersion: 1 }) },
    nodes: {
      all: async () => Promise.resolve([{ ...node, lastSeenAt: lastSeenAt.toISOString(), online: sessions.of('i') !== null, skewMs: 0, storage: null }]),
    },
  });
}
const native = async (health: Promise<Awaited<ReturnType<ShowHealth['run']>>>): Promise<unknown> => (await health).layers.find((l) => l.layer === 'native')?.ok;

test('an agent that starts afresh is waited for, and its machine is not called unwell', async () => {
  const sessions = new Sessions();
  const asked = healthOf(sessions, 2_000).run('c');
  setTimeout(() => sessions.admit(sessionOf('i')), 50);
  expect(await native(asked)).toBe(true);
});
test('one that is gone for longer is told of at once', async () => {
  const sessions = new Sessions();
  const waits = jest.spyOn(sessions, 'when');
  expect(await native(healthOf(sessions, 60_000).run('c'))).toBe(false);
  expect(waits.mock.calls.map(([, , within]) => within.ms)).toEqual([0]);
});
