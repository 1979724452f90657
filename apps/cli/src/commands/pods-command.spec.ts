import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PodEventsView, PodView } from '@strata/model';
import { podLine, podsText } from '../output/pods-text';
import { strataProgram } from '../program';
import { paper } from '../testing/paper';
import { eventsText, isWanted } from './pods-command';

const pod = (more: Partial<PodView>): PodView => ({
  name: 'web-1', namespace: 'shop', node: 'n1', layer: 'containerized', release: 'front', state: 'Running', ready: { containers: 1, of: 1 }, restarts: 0, startedAt: 0, trouble: null, usage: null, ...more,
}); // prettier-ignore
const cells = (text: string): string[][] => text.split('\n').map((l) => l.split(/ {2,}/).map((w) => w.trim()));

test('pods are a table, with what is wrong below it, and how old that is where it may be', () => {
  const stuck = pod({ name: 'web-2', node: null, release: null, state: 'Pending', ready: { containers: 0, of: 1 }, startedAt: null, trouble: 'no node takes it: Insufficient cpu' }); // prettier-ignore
  expect(cells(podsText({ cluster: 'home', heardAt: 60_000, behind: 'connection refused', pods: [pod({}), stuck] }, 90_000))).toEqual([
    ['NAMESPACE', 'POD', 'NODE', 'RELEASE', 'READY', 'STATE', 'RESTARTS', 'AGE'],
    ['shop', 'web-1', 'n1', 'front', '1/1', 'Running', '0', '90 s'],
    ['shop', 'web-2', '-', '-', '0/1', 'Pending', '0', '-'],
    ['shop/web-2: no node takes it: Insufficient cpu'],
    ['as of 30 s ago: connection refused'],
  ]);
  expect(podsText({ cluster: 'home', heardAt: 0, behind: null, pods: [] }, 0)).toBe('no pods');
});
test('what they use has columns where somebody measures it', () => {
  const pods = [pod({ usage: { cpuMillis: 12, memoryBytes: 5 * 2 ** 20 + 1 } }), pod({ name: 'web-2' })];
  expect(cells(podsText({ cluster: 'home', heardAt: 0, behind: null, pods }, 0)).map((l) => [l[1], ...l.slice(8)])).toEqual([
    ['POD', 'CPU', 'MEMORY'],
    ['web-1', '12m', '6Mi'],
    ['web-2', '-', '-'],
  ]);
});
test.each<[object, boolean]>([
  [{}, true],
  [{ node: 'n1', namespace: 'shop', release: 'front', layer: 'containerized' }, true],
  [{ node: 'n2' }, false],
  [{ namespace: 'other' }, false],
  [{ release: 'back' }, false],
  [{ layer: 'orchestration' }, false],
  [{ troubled: true }, false],
])('a pod of n1 is shown with %j: %s', (filter, shown) => expect(isWanted(pod({}), filter)).toBe(shown));
test('in a line it is where it is and how it is', () => {
  expect(podLine(pod({}))).toBe('shop/web-1: Running 1/1 on n1');
  expect(podLine(pod({ node: null, state: 'CrashLoopBackOff', restarts: 1, trouble: 'main: ended with 1' }))).toBe(
    'shop/web-1: CrashLoopBackOff 1/1, 1 restart (main: ended with 1)',
  );
  expect(podLine(pod({ restarts: 2 }))).toBe('shop/web-1: Running 1/1 on n1, 2 restarts');
});
test('events are a table, the newest last, each message in one line', () => {
  const view: PodEventsView = { cluster: 'home', namespace: 'shop', name: 'web-1', events: [
    { at: 10_000, firstAt: 10_000, type: 'Normal', reason: 'Scheduled', message: 'to n1', count: 1 },
    { at: 70_000, firstAt: 10_000, type: 'Warning', reason: 'BackOff', message: 'again\n and again', count: 7 },
  ] }; // prettier-ignore
  expect(cells(eventsText(view, 100_000))).toEqual([
    ['SEEN', 'TYPE', 'REASON', 'TIMES', 'MESSAGE'],
    ['90 s ago', 'Normal', 'Scheduled', '1', 'to n1'],
    ['30 s ago', 'Warning', 'BackOff', '7 in 60 s', 'again and again'],
  ]);
  expect(eventsText({ ...view, events: [] }, 0)).toMatch(/^Kubernetes tells nothing of it/);
});
test.each([['web-1'], ['shop/web-1/main'], ['Shop/web-1'], ['shop/']])('"%s" is no pod, and nothing is asked', async (of) => {
  for (const command of ['events', 'logs']) {
    const error: unknown = await strataProgram(paper({ HOME: '/nonexistent' }).cli).parseAsync(['node', 'strata', 'pods', command, of, '--cluster', 'home']).then(() => null, (e: unknown) => e); // prettier-ignore
    expect(error).toMatchObject({
      message: `"${of}" is not of the form NAMESPACE/NAME`,
      what: { exitCode: 2, remedy: 'see which pods there are: strata pods' },
    });
  }
});

test('options go to the command that they stand behind', async () => {
  const asked: string[] = [];
  const line = JSON.stringify({ pod: 'web-1', container: 'main', text: 'hello' });
  const view = {
    cluster: 'home',
    heardAt: 1,
    behind: null,
    pods: [pod({}), pod({ name: 'dns', namespace: 'kube-system', layer: 'orchestration', release: null })],
  };
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url?.includes('/logs')) return void response.end(`${line}\n`);
    response.end(JSON.stringify(request.url?.endsWith('/events') ? { cluster: 'home', namespace: 'shop', name: 'web-1', events: [] } : view));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const dir = mkdtempSync(join(tmpdir(), 'pods-'));
  writeFileSync(join(dir, 'token'), 'secret', { mode: 0o600 });
  const strata = async (...argv: string[]): Promise<string> => {
    const sheet = paper({ HOME: dir, STRATA_SERVER: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, STRATA_TOKEN_FILE: join(dir, 'token') });
    await strataProgram(sheet.cli).parseAsync(['node', 'strata', 'pods', ...argv]);
    return sheet.out.join('\n');
  };
  try {
    const names = (text: string): string[] => (JSON.parse(text) as { pods: PodView[] }).pods.map((p) => p.name);
    expect(names(await strata('--cluster', 'home', '-o', 'json', '--layer', 'orchestration'))).toEqual(['dns']);
    expect(names(await strata('--cluster', 'home', '-o', 'json', '--release', 'front'))).toEqual(['web-1']);
    expect(JSON.parse(await strata('events', 'shop/web-1', '--cluster', 'home', '-o', 'json'))).toMatchObject({ name: 'web-1', events: [] });
    expect(await strata('logs', 'shop/web-1', '--cluster', 'home', '-f', '--previous', '-c', 'main', '--since', '2m', '--tail', '5')).toBe('web-1 main: hello');
    expect(await strata('logs', 'shop/web-1', '--cluster', 'home', '-o', 'json')).toBe(line);
    await expect(strata('--cluster', 'home', '--watch', '-o', 'yaml')).rejects.toMatchObject({ what: { exitCode: 2 } });
  } finally {
    await new Promise((resolve) => server.close(resolve));
    rmSync(dir, { recursive: true });
  }
  const at = '/v1/clusters/home/pods';
  expect(asked).toEqual([
    at, at, `${at}/shop/web-1/events`,
    `${at}/shop/web-1/logs?follow=true&previous=true&container=main&since=120&tail=5`, `${at}/shop/web-1/logs?follow=false&previous=false&tail=200`,
  ]); // prettier-ignore
});
