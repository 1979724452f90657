import { shouldStartAfresh } from './lean';

function agent(anonMb: number): { orders: { begun: number; busy: boolean }; pass: (seconds: number) => boolean } {
  let at = 0;
  const orders = { begun: 0, busy: false };
  const afresh = shouldStartAfresh({ orders, anonMb: () => anonMb, now: () => at });
  return { orders, pass: (seconds) => ((at += seconds * 1000), afresh()) };
}
test('a process that grew by its orders starts afresh when it has rested', () => {
  const { orders, pass } = agent(90);
  expect(pass(600)).toBe(false); // it never did anything: this is what it needs
  Object.assign(orders, { begun: 1, busy: true });
  expect(pass(600)).toBe(false);
  orders.busy = false;
  expect(pass(59)).toBe(false);
  orders.begun = 2; // one that came and went between two looks
  expect(pass(59)).toBe(false);
  expect(pass(59)).toBe(false);
  expect(pass(2)).toBe(true);
});
test('a lean one stays', () => {
  const { orders, pass } = agent(45);
  orders.begun = 5;
  expect(pass(1)).toBe(false);
  expect(pass(600)).toBe(false);
});
