import { jest } from '@jest/globals';
import { type Session, Sessions } from './sessions';

const sessionOf = (nodeId: string): Session =>
  ({ id: 's', nodeId, clusterId: 'c', name: nodeId, link: { close: () => undefined, send: () => Promise.resolve() }, holds: new Map() }) as unknown as Session;
const never = new AbortController().signal;

describe('waiting for a session', () => {
  it('is over as soon as it opens or is gone', async () => {
    const sessions = new Sessions();
    const open = sessions.when('n1', 'open', { ms: 60_000, signal: never });
    const session = sessionOf('n1');
    sessions.admit(sessionOf('n2'));
    sessions.admit(session);
    expect(await open).toBe(true);
    expect(await sessions.when('n1', 'open', { ms: 0, signal: never })).toBe(true);
    const gone = sessions.when('n1', 'gone', { ms: 60_000, signal: never });
    sessions.closed(session);
    expect(await gone).toBe(true);
  });
  it('ends without one when its time is over, and throws when it is to stop', async () => {
    const sessions = new Sessions();
    expect(await sessions.when('n1', 'open', { ms: 10, signal: never })).toBe(false);
    const stop = new AbortController();
    const waiting = sessions.when('n1', 'open', { ms: 60_000, signal: stop.signal });
    stop.abort(new Error('the server stops'));
    await expect(waiting).rejects.toThrow('the server stops');
    await expect(sessions.when('n1', 'gone', { ms: 0, signal: stop.signal })).rejects.toThrow('the server stops');
  });
});

describe('a node without a session', () => {
  const begun = Date.parse('2026-11-30T19:30:00Z');
  const stopping = never;
  const asked = async (heardMs: number | null, sinceMs: number, leastMs?: number): Promise<unknown> => {
    const sessions = new Sessions(begun - sinceMs);
    const waits = jest.spyOn(sessions, 'when').mockResolvedValue(false);
    const lastSeenAt = heardMs === null ? null : new Date(begun - heardMs);
    expect(await sessions.soon({ id: 'n1', lastSeenAt }, { now: () => begun, stopping }, leastMs)).toBeNull();
    return waits.mock.calls[0]?.[2].ms;
  };
  it.each([
    { what: 'that was there just now is waited for', heardMs: 2_000, sinceMs: 3_600_000, ms: 12_000 },
    { what: 'that is gone for longer is not', heardMs: 60_000, sinceMs: 3_600_000, ms: 0 },
    { what: 'that this server could not hear yet is waited for', heardMs: 60_000, sinceMs: 2_000, ms: 12_000 },
    { what: 'that was never heard is not', heardMs: null, sinceMs: 2_000, ms: 0 },
  ])('$what', async ({ heardMs, sinceMs, ms }) => {
    expect(await asked(heardMs, sinceMs)).toBe(ms);
  });
  it('is waited for by a first contact either way, longer when it was there just now', async () => {
    expect([await asked(60_000, 3_600_000, 6_000), await asked(2_000, 3_600_000, 6_000)]).toEqual([6_000, 12_000]);
  });
  it('has the one that comes', async () => {
    const sessions = new Sessions();
    const [session, waited] = [sessionOf('n1'), sessions.soon({ id: 'n1', lastSeenAt: new Date(begun) }, { now: () => begun, stopping })];
    sessions.admit(session);
    expect(await waited).toBe(session);
  });
});
