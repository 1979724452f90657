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
