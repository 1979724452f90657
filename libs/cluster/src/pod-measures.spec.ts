import { measuresIn, PodMeasures } from './pod-measures';

const item = (name: string, ...usage: { cpu?: string; memory?: string }[]): object => ({
  metadata: { namespace: 'shop', name },
  containers: usage.map((u, i) => ({ name: `c${i}`, usage: u })),
});
const list = (...items: object[]): string => JSON.stringify({ kind: 'PodMetricsList', items });

test.each<[string, object, object | undefined]>([
  [
    'containers together, rounded up',
    item('a', { cpu: '1234567n', memory: '61440Ki' }, { cpu: '250m', memory: '1Mi' }),
    { cpuMillis: 252, memoryBytes: 61_440 * 1024 + 2 ** 20 },
  ],
  ['bare numbers', item('a', { cpu: '2', memory: '128974848' }), { cpuMillis: 2000, memoryBytes: 128_974_848 }],
  ['decimal units', item('a', { cpu: '1u', memory: '3M' }), { cpuMillis: 1, memoryBytes: 3_000_000 }],
  ['an idle one', item('a', { cpu: '0', memory: '4k' }), { cpuMillis: 0, memoryBytes: 4000 }],
  ['what cannot be read', item('a', { cpu: '1m', memory: 'much' }), undefined],
  ['what is missing', item('a', { cpu: '1m' }), undefined],
  ['no container', item('a'), undefined],
])('of %s', (_, measured, usage) => expect(measuresIn(list(measured))?.get('shop/a')).toEqual(usage));
test.each(['', '<html>', 'null', '{"items":3}'])('"%s" is no such list', (body) => expect(measuresIn(body)).toBeNull());

/** A cluster whose metrics API gives these answers, and a clock that is set. */
function cluster(answer: () => Promise<{ status: number; body: string } | null>) {
  let [at, asked] = [1_000_000, 0];
  const measures = new PodMeasures({ throughProxy: () => ((asked += 1), answer()) }, () => at);
  return { measures, later: (ms: number) => void (at += ms), asked: () => asked };
}
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test('it is asked for every 15 s at most, by whoever looks, and nobody waits who has it', async () => {
  let answer = Promise.resolve({ status: 200, body: list(item('a', { cpu: '1m', memory: '1Ki' })) });
  const { measures, later, asked } = cluster(() => answer);
  const once = await measures.look();
  expect([once.get('shop/a'), asked()]).toEqual([{ cpuMillis: 1, memoryBytes: 1024 }, 1]);
  later(14_999);
  expect([await measures.look(), asked()]).toEqual([once, 1]);
  later(1);
  let give: (a: { status: number; body: string }) => void = () => undefined;
  answer = new Promise((resolve) => (give = resolve));
  expect([await measures.look(), await measures.look(), asked()]).toEqual([once, once, 2]); // while it is being asked
  give({ status: 200, body: list(item('a', { cpu: '2m', memory: '1Ki' })) });
  await settled();
  expect((await measures.look()).get('shop/a')?.cpuMillis).toBe(2);
});
test.each<[string, () => Promise<{ status: number; body: string } | null>]>([
  ['has no metrics API', () => Promise.resolve({ status: 404, body: '404 page not found' })],
  ['has nobody behind it', () => Promise.resolve(null)],
  ['says something else', () => Promise.resolve({ status: 200, body: 'hello' })],
  ['does not answer', () => Promise.reject(new Error('no way there'))],
])('a cluster that %s is asked again each minute, and the view has nothing of it', async (_, answer) => {
  const { measures, later, asked } = cluster(answer);
  expect([(await measures.look()).size, (await measures.look()).size, asked()]).toEqual([0, 0, 1]);
  later(59_999);
  await measures.look();
  expect(asked()).toBe(1);
  later(1);
  await measures.look();
  expect(asked()).toBe(2);
});
test('an answer that never comes holds a view up once and for a moment only; what was known is told until it is old', async () => {
  let answer: Promise<{ status: number; body: string } | null> = Promise.resolve({ status: 200, body: list(item('a', { cpu: '1m', memory: '1Ki' })) });
  const { measures, later, asked } = cluster(() => answer);
  await measures.look();
  answer = new Promise(() => undefined);
  later(89_999);
  const began = performance.now();
  expect((await measures.look()).size).toBe(1);
  expect(performance.now() - began).toBeLessThan(500);
  later(1);
  expect([(await measures.look()).size, asked()]).toEqual([0, 2]); // the same question: none is asked beside it
  expect(performance.now() - began).toBeLessThan(5_000);
});
