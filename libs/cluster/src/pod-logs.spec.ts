import { type LogLine, type LogsOf, PodLogs, type LogWish } from './pod-logs';
import { FakeApi } from './testing/fake-api';

let api: FakeApi;
const stop = new AbortController();
beforeEach(async () => {
  api = new FakeApi();
  await api.start();
  const kinds = { '/apis/apps/v1': ['deployments', 'statefulsets', 'daemonsets'], '/apis/batch/v1': ['cronjobs'] };
  const named: Record<string, string> = { deployments: 'Deployment', statefulsets: 'StatefulSet', daemonsets: 'DaemonSet', cronjobs: 'CronJob' };
  for (const [path, resources] of Object.entries(kinds)) {
    answer(path, { kind: 'APIResourceList', groupVersion: path.slice(6), resources: resources.map((name) => ({ name, kind: named[name], namespaced: true, singularName: '', verbs: [] })) });
    for (const name of resources) answer(`${path}/namespaces/office/${name}`, { items: [] });
  }
  answer('/api/v1/namespaces/office/secrets', { items: [{ metadata: { namespace: 'office', labels: { name: 'db', version: '1', status: 'deployed' } } }] });
  answer('/api/v1/namespaces/office/configmaps', { items: [] });
  const annotations = { 'meta.helm.sh/release-name': 'db', 'meta.helm.sh/release-namespace': 'office' };
  answer('/apis/apps/v1/namespaces/office/statefulsets', { items: [{ metadata: { name: 'db', namespace: 'office', annotations }, spec: {} }] });
  pods(pod('db-0'), { ...pod('stranger'), metadata: { name: 'stranger', uid: 's' } });
}); // prettier-ignore
afterEach(() => api.stop());
const answer = (path: string, body: object | string, status = 200): void => void api.answers.set(`GET ${path}`, { status, body });
const pod = (name: string, restartCount = 0, containers = ['main']): object => ({
  metadata: { name, uid: name, ownerReferences: [{ kind: 'StatefulSet', name: 'db', controller: true }] }, spec: { containers: containers.map((c) => ({ name: c })) },
  status: { containerStatuses: containers.map((c) => ({ name: c, restartCount, state: { running: {} } })) },
}); // prettier-ignore
const pods = (...items: object[]): void => answer('/api/v1/namespaces/office/pods', { items });
const says = (name: string, text: string, status = 200): void => answer(`/api/v1/namespaces/office/pods/${name}/log`, text, status);
async function read(
  wish: Partial<LogWish> = {},
  over: { signal?: AbortSignal; line?: (l: LogLine) => Promise<void> } = {},
  whose: LogsOf = { of: 'app', namespace: 'office', name: 'db' },
): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  const line = async (l: LogLine): Promise<void> => Promise.resolve(void lines.push(l));
  await new PodLogs(api.kubeconfig).read(whose, { follow: false, previous: false, tail: 7, ...wish }, { line, signal: stop.signal, ...over });
  return lines;
}

test('lines come of the pods of the release alone, as many as were asked for', async () => {
  says('db-0', 'one\ntwo\n');
  expect(await read({ sinceSeconds: 60 })).toEqual(['one', 'two'].map((text) => ({ pod: 'db-0', container: 'main', text })));
  const asked = new URL(api.asked.find((a) => a.path.includes('/log'))?.path ?? '', 'https://x').searchParams;
  expect(Object.fromEntries(asked)).toEqual({
    container: 'main',
    follow: 'false',
    previous: 'false',
    sinceSeconds: '60',
    tailLines: '7',
    limitBytes: '1048576',
  });
});
test('a container that is not there is refused, with those that are', async () => {
  await expect(read({ container: 'nope' })).rejects.toMatchObject({ code: 'no-container', remedy: 'name one of: main' });
});
test('what has no life before this one, and what has no pods, says so in a line', async () => {
  says('db-0', 'no', 400);
  expect(await read({ previous: true })).toEqual([{ pod: 'db-0', container: null, text: 'main had no life before this one, or it is not kept' }]);
  pods();
  expect(await read()).toEqual([{ pod: 'db', container: null, text: 'it has no pods' }]);
});
test('a release that is not there is refused', async () => {
  answer('/api/v1/namespaces/office/secrets', { items: [] });
  await expect(read()).rejects.toMatchObject({ code: 'no-app' });
});
test('a line without end and a crowd of containers are bounded', async () => {
  says('db-0', `${'x'.repeat(100_000)}\n`);
  pods(
    pod(
      'db-0',
      0,
      Array.from({ length: 45 }, (_, i) => `c${i}`),
    ),
  );
  const lines = await read();
  expect(Math.max(...lines.map((l) => l.text.length))).toBe(16 * 1024 + 1);
  expect(lines.filter((l) => l.container !== null)).toHaveLength(40);
  expect(lines.find((l) => l.container === null)?.text).toBe('5 containers more are left out: name one with --container');
});
test('what is followed goes on with new lives, and ends when nobody listens', async () => {
  const gone = new AbortController();
  says('db-0', 'first life\n');
  const heard: string[] = [];
  const line = (l: LogLine): Promise<void> => {
    heard.push(l.text);
    if (heard.length === 1) {
      says('db-0', 'second life\n');
      pods(pod('db-0', 1));
    } else gone.abort();
    return Promise.resolve();
  };
  await read({ follow: true }, { signal: gone.signal, line });
  expect(heard).toEqual(['first life', 'second life']);
});

describe('of one pod', () => {
  const one: LogsOf = { of: 'pod', namespace: 'office', name: 'db-0' };
  const is = (p: object | null, phase?: string): void =>
    answer(
      '/api/v1/namespaces/office/pods/db-0',
      p === null ? { kind: 'Status', code: 404 } : { ...p, status: { ...(p as { status: object }).status, phase } },
      p === null ? 404 : 200,
    );

  test('lines come of it alone, whatever it is of', async () => {
    is(pod('db-0', 0, ['main', 'side']));
    says('db-0', 'hello\n');
    expect(await read({}, {}, one)).toEqual(['main', 'side'].map((container) => ({ pod: 'db-0', container, text: 'hello' })));
    expect(api.asked.some((a) => a.path.includes('secrets'))).toBe(false);
  });
  test('one that is not there, or has no such container, is refused; one that has not begun says so', async () => {
    await expect(read({}, {}, one)).rejects.toMatchObject({ code: 'no-pod', message: 'there is no pod db-0 in office' });
    is(pod('db-0'));
    await expect(read({ container: 'nope' }, {}, one)).rejects.toMatchObject({ code: 'no-container' });
    is({ ...pod('db-0'), status: { containerStatuses: [{ name: 'main', restartCount: 0, state: { waiting: {} } }] } });
    for (const container of [undefined, 'main'])
      expect(await read({ container }, {}, one)).toEqual([{ pod: 'db-0', container: null, text: 'none of its containers has begun' }]);
  });
  test.each(['it ended', 'it is gone'])('what is followed is over when %s', async (how) => {
    is(pod('db-0'), 'Running');
    says('db-0', 'last words\n');
    const heard: string[] = [];
    const line = ({ text }: LogLine): Promise<void> => {
      heard.push(text);
      return Promise.resolve(how === 'it is gone' ? is(null) : is(pod('db-0'), 'Succeeded'));
    };
    await read({ follow: true }, { line }, one);
    expect(heard).toEqual(['last words', ...(how === 'it is gone' ? ['it is gone'] : [])]);
  });
});
