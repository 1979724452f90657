import { type HeldAttempt, inTheWay, judgeOrder } from './order-rules';

const held = (epoch: number, attempt: number, state: HeldAttempt['state']): HeldAttempt => ({ epoch, attempt, state });
test.each<[string, [number, number], HeldAttempt | undefined, number, string]>([
  ['nothing is held', [3, 1], undefined, 3, 'accept'],
  ['a lower epoch', [2, 9], undefined, 3, 'old-epoch'],
  ['the same attempt, under way', [3, 1], held(3, 1, 'running'), 3, 'again'],
  ['the same attempt, over', [3, 1], held(3, 1, 'settled'), 3, 'answer'],
  ['the same attempt, under way, a newer epoch seen since', [3, 1], held(3, 1, 'running'), 4, 'again'],
  ['an older attempt', [3, 1], held(3, 2, 'settled'), 3, 'old-attempt'],
  ['the next attempt, the last is over', [3, 2], held(3, 1, 'settled'), 3, 'accept'],
  ['the next attempt, the last still runs', [3, 2], held(3, 1, 'running'), 3, 'busy'],
  ['a new run of the same step', [4, 1], held(3, 5, 'settled'), 3, 'accept'],
])('%s', (...[, [epoch, attempt], entry, highest, expected]) => {
  const j = judgeOrder({ epoch, attempt }, entry, highest);
  expect(j.verdict === 'refuse' ? j.code : j.verdict).toBe(expected);
});

test('what is under way for the same step under another id is in the way', () => {
  const order = (orderId: string, step: string, state: HeldAttempt['state']) => ({ state, body: { orderId, step } }); // prettier-ignore
  const old = order('r1.a.run', 'n1/a', 'running');
  expect(inTheWay({ orderId: 'r2.a.run', step: 'n1/a' }, [order('r1.b.run', 'n1/b', 'running'), old])).toBe(old);
  expect(inTheWay({ orderId: 'r1.a.run', step: 'n1/a' }, [old])).toBeUndefined();
  expect(inTheWay({ orderId: 'r2.a.run', step: 'n1/a' }, [order('r1.a.run', 'n1/a', 'settled')])).toBeUndefined();
});
