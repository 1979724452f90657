import type { PodView } from '@strata/model';
import { PodFeed } from './pod-feed';

type Seen = { heardAt: number; behind: string | null; pods: PodView[] };
const pod = (name: string, restarts = 0): PodView => ({ name, namespace: 'shop', node: null, layer: 'containerized', release: null, state: 'Running', ready: { containers: 1, of: 1 }, restarts, startedAt: 0, trouble: null, usage: null }); // prettier-ignore
/** A watch that has these pods, counts its looks and its listeners, and may fail. */
function watch() {
  const it = { pods: [pod('a')], looks: 0, fails: false };
  const listeners = new Set<() => void>();
  const look = (): Promise<Seen> => {
    it.looks += 1;
    return it.fails ? Promise.reject(new Error('broken inside')) : Promise.resolve({ heardAt: 1, behind: null, pods: it.pods });
  };
  const onNews = (l: () => void): (() => void) => (listeners.add(l), () => listeners.delete(l));
  const tell = (): void => listeners.forEach((l) => l());
  return { it, tell, listeners, of: { look, onNews } };
}
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (true_: () => boolean): Promise<void> => {
  for (const end = Date.now() + 5_000; !true_() && Date.now() < end;) await sleep(5);
  expect(true_()).toBe(true);
};
const names = (feed: PodFeed, after: number): string[] =>
  [...(feed.since(after) ?? [])].map((w) => w.data.replace(/.*"name":"(\w+)".*"restarts":(\d+).*/, '$1 $2'));

test('it looks while somebody reads, when there is news, and not for each of them', async () => {
  const w = watch();
  const feed = new PodFeed(w.of, 'x', { failed: () => undefined, everyMs: 50, latestMs: 60_000 });
  await sleep(80);
  expect([w.it.looks, w.listeners.size]).toEqual([0, 0]);
  let pokes = 0;
  const leave = await feed.join(() => (pokes += 1));
  const { id } = feed.whole();
  for (let i = 1; i <= 1_000; i += 1) {
    w.it.pods = [pod('a', i)];
    w.tell();
  }
  await until(() => names(feed, id).includes('a 1000'));
  expect([names(feed, id), w.it.looks, pokes]).toEqual([['a 1000'], 2, 2]);
  leave();
  await until(() => w.listeners.size === 0);
});
test('without a word it looks all the same now and then; a second reader is told what is of now', async () => {
  const w = watch();
  const feed = new PodFeed(w.of, 'x', { failed: () => undefined, everyMs: 5, latestMs: 20 });
  const leave = [await feed.join(() => undefined)];
  w.it.pods = [pod('a'), pod('b')];
  await until(() => feed.whole().seen.pods.length === 2);
  w.it.pods = [];
  leave.push(await feed.join(() => undefined));
  expect(feed.whole().seen.pods).toEqual([]);
  for (const go of leave) go();
  await until(() => w.listeners.size === 0);
  const before = w.it.looks;
  await sleep(60);
  expect(w.it.looks).toBe(before);
});
test('an id says of which feed it is', () => {
  const feed = new PodFeed(watch().of, '7-1', { failed: () => undefined });
  expect([feed.marked(feed.mark(12)), feed.marked('7-2.12'), feed.marked('12'), feed.marked(undefined), feed.marked('7-1.'), feed.marked('7-1.1e3')]).toEqual([
    12,
    null,
    null,
    null,
    null,
    null,
  ]);
});
test('a watch that fails inside is told of, and refuses who joins', async () => {
  const w = watch();
  const failures: unknown[] = [];
  const feed = new PodFeed(w.of, 'x', { failed: (e) => failures.push(e), everyMs: 5, latestMs: 10 });
  const leave = await feed.join(() => undefined);
  w.it.fails = true;
  await until(() => failures.length > 0);
  expect(w.listeners.size).toBe(0);
  await expect(feed.join(() => undefined)).rejects.toThrow('broken inside');
  w.it.fails = false;
  (await feed.join(() => undefined))(); // it is not broken for ever
  leave();
});
