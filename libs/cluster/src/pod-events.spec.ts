import { PodEvents } from './pod-events';
import { FakeApi } from './testing/fake-api';

let api: FakeApi;
beforeEach(async () => {
  api = new FakeApi();
  await api.start();
});
afterEach(() => api.stop());
const answer = (path: string, body: object): void => void api.answers.set(`GET /api/v1/namespaces/shop/${path}`, { status: 200, body });
const event = (reason: string, more: object): object => ({ metadata: { creationTimestamp: '2026-11-29T20:00:00Z' }, involvedObject: {}, type: 'Normal', reason, message: `${reason}!`, ...more }); // prettier-ignore
const look = () => new PodEvents(api.kubeconfig).look({ namespace: 'shop', name: 'web-1' });
const selected = (): string | null => new URL(api.asked.find((a) => a.path.includes('/events'))?.path ?? '', 'https://x').searchParams.get('fieldSelector');
const at = (time: string): number => Date.parse(`2026-11-29T${time}Z`);

test('the newest last, with how often and since when, in either form that Kubernetes has', async () => {
  answer('pods/web-1', { metadata: { uid: 'u-1' } });
  answer('events', { items: [
    event('BackOff', { type: 'Warning', firstTimestamp: '2026-11-29T20:01:00Z', lastTimestamp: '2026-11-29T20:09:00Z', count: 7 }),
    event('Scheduled', { eventTime: '2026-11-29T20:00:01.500000Z' }),
    event('Pulled', { eventTime: '2026-11-29T20:00:03.000000Z', series: { count: 3, lastObservedTime: '2026-11-29T20:05:00.000000Z' } }),
    event('Odd', { type: 'Strange' }),
  ] }); // prettier-ignore
  expect(await look()).toEqual([
    { at: at('20:00:00'), firstAt: at('20:00:00'), type: 'Normal', reason: 'Odd', message: 'Odd!', count: 1 },
    { at: at('20:00:01.5'), firstAt: at('20:00:01.5'), type: 'Normal', reason: 'Scheduled', message: 'Scheduled!', count: 1 },
    { at: at('20:05:00'), firstAt: at('20:00:03'), type: 'Normal', reason: 'Pulled', message: 'Pulled!', count: 3 },
    { at: at('20:09:00'), firstAt: at('20:01:00'), type: 'Warning', reason: 'BackOff', message: 'BackOff!', count: 7 },
  ]);
  expect(selected()).toBe('involvedObject.uid=u-1');
});
test("of a static pod by kubelet's own name for it", async () => {
  answer('pods/web-1', { metadata: { uid: 'u-1', annotations: { 'kubernetes.io/config.mirror': 'f00d' } } });
  answer('events', { items: [] });
  expect([await look(), selected()]).toEqual([[], 'involvedObject.uid=f00d']);
});
test('of a pod that is gone by its name, while something is kept; else it is refused', async () => {
  answer('events', { items: [event('Killing', {})] });
  expect((await look()).map((e) => e.reason)).toEqual(['Killing']);
  expect(selected()).toBe('involvedObject.kind=Pod,involvedObject.name=web-1');
  answer('events', { items: [] });
  await expect(look()).rejects.toMatchObject({ code: 'no-pod', remedy: 'see which there are: strata pods' });
});
