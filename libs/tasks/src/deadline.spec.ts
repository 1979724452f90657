import { deadline } from './deadline';

/** A clock that is moved by hand. */
function handClock(): { start: (ms: number, then: () => void) => object; stop: (timer: object) => void; pass: (ms: number) => void } {
  let now = 0;
  const waiting = new Map<object, { at: number; then: () => void }>();
  return {
    start: (ms, then) => {
      const timer = {};
      waiting.set(timer, { at: now + ms, then });
      return timer;
    },
    stop: (timer) => void waiting.delete(timer),
    pass: (ms) => {
      now += ms;
      for (const [timer, w] of waiting) if (w.at <= now && waiting.delete(timer)) w.then();
    },
  };
}
it('counts from the beginning, whatever is told', () => {
  const clock = handClock();
  const limit = deadline('start', 60_000, clock);
  clock.pass(50_000);
  limit.alive();
  clock.pass(10_000);
  expect(String(limit.signal.reason)).toMatch(/60 s since its beginning/);
});
it('counts from the last progress: a slow line has all the time it needs, a silent one has not', () => {
  const clock = handClock();
  const limit = deadline('progress', 60_000, clock);
  for (let i = 0; i < 100; i += 1) {
    clock.pass(59_000);
    limit.alive();
  }
  expect(limit.signal.aborted).toBe(false);
  clock.pass(60_000);
  expect(String(limit.signal.reason)).toMatch(/60 s without progress/);
});
it('never fires after its end', () => {
  const clock = handClock();
  const limit = deadline('progress', 60_000, clock);
  limit.end();
  clock.pass(100_000);
  expect(limit.signal.aborted).toBe(false);
});
