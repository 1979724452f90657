import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PodNews, RunEvent } from '@strata/model';
import { ApiError, ConnectionError, UnexpectedAnswer } from './api-error';
import { ApiClient } from './client';
import { connectTo } from './node-transport';
import { tlsServer, type TlsServer } from './testing/tls-server';

let answer: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
let server: TlsServer;
let client: ApiClient;
const seen: { method: string; url: string; headers: IncomingMessage['headers'] }[] = [];

beforeAll(async () => {
  server = await tlsServer((request, response) => {
    seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers });
    answer(request, response);
  });
  client = new ApiClient(await connectTo(server), { token: 'secret', timeoutMs: 2_000, patienceMs: 1_500 });
});
afterAll(async () => {
  client.close();
  await server.close();
});
beforeEach(() => void seen.splice(0));

const json = (status: number, body: unknown) => (_: IncomingMessage, response: ServerResponse) =>
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
const page = { runs: [], next: null };

describe('calls', () => {
  it('sends the token, encodes names, and gives every POST a key', async () => {
    answer = json(202, { runId: 'r1', clusterId: 'c1' });
    await client.startRun('a/b', { kind: 'install', nodes: [], dryRun: false, force: false });
    await client.startRun('a/b', { kind: 'install', nodes: [], dryRun: false, force: false });
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/v1/clusters/a%2Fb/runs', headers: { authorization: 'Bearer secret' } });
    expect(seen[0]?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(seen[1]?.headers['idempotency-key']).not.toBe(seen[0]?.headers['idempotency-key']);
  });
  it('takes an empty answer where none is due', async () => {
    answer = (_, response) => response.writeHead(202).end();
    await expect(client.cancelRun('r1')).resolves.toBeUndefined();
  });
  it('gives the problem with its remedy', async () => {
    answer = json(409, { type: 'x', title: 'busy', status: 409, detail: 'run r1 is at work', remedy: 'wait', code: 'cluster-busy' });
    const error = await client.startRun('c', { kind: 'install', nodes: [], dryRun: false, force: false }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toMatchObject({ code: 'cluster-busy', remedy: 'wait', status: 409, message: 'run r1 is at work' });
  });
  it('gives the lines of an application as they come, whole where a piece ends within one, and leaves signs of life out', async () => {
    const line = JSON.stringify({ pod: 'db-0', container: 'main', text: 'Grüße' });
    answer = (_, response) => {
      const [bytes, cut] = [Buffer.from(`\n${line}\n\n${line}`), line.indexOf('ü') + 2]; // in the middle of the ü
      response.writeHead(200).write(bytes.subarray(0, cut));
      setTimeout(() => response.end(bytes.subarray(cut)), 20);
    };
    const lines = [];
    for await (const l of client.appLogs('home', { namespace: 'office', name: 'db' }, { follow: true, tail: 5 })) lines.push(l);
    expect(lines).toEqual([JSON.parse(line), JSON.parse(line)]);
    expect(seen[0]?.url).toBe('/v1/clusters/home/apps/office/db/logs?follow=true&tail=5');
    answer = json(404, { type: 'x', title: 'not found', status: 404, detail: 'there is no application', remedy: 'see', code: 'not-found' });
    await expect(client.appLogs('home', { namespace: 'office', name: 'db' }).next()).rejects.toMatchObject({ code: 'not-found' });
  });
  it('gives the lines and the events of a pod', async () => {
    const line = { pod: 'n1.a', container: 'main', text: 'hello' };
    answer = (_, response) => response.writeHead(200).end(`${JSON.stringify(line)}\n\n`);
    const lines = [];
    for await (const l of client.podLogs('home', { namespace: 'shop', name: 'n1.a' }, { previous: true, container: 'main' })) lines.push(l);
    const view = {
      cluster: 'home',
      namespace: 'shop',
      name: 'n1.a',
      events: [{ at: 2, firstAt: 1, type: 'Warning', reason: 'BackOff', message: 'again', count: 3 }],
    };
    answer = json(200, view);
    expect([lines, await client.podEvents('home', { namespace: 'shop', name: 'n1.a' })]).toEqual([[line], view]);
    expect(seen.map((s) => s.url)).toEqual(['/v1/clusters/home/pods/shop/n1.a/logs?previous=true&container=main', '/v1/clusters/home/pods/shop/n1.a/events']);
  });
  it('does not take what is not the API for an answer', async () => {
    answer = (_, response) => response.writeHead(200).end('<html>');
    await expect(client.clusters()).rejects.toBeInstanceOf(UnexpectedAnswer);
    answer = json(200, [{ id: 1 }]);
    await expect(client.clusters()).rejects.toThrow(/not what was expected/);
    answer = (_, response) => response.writeHead(502).end('bad gateway');
    await expect(client.clusters()).rejects.toThrow(/status 502/);
  });
  it('tries again with the same key when the connection breaks', async () => {
    answer = (request, response) => (seen.length === 1 ? request.socket.destroy() : json(202, { runId: 'r1', clusterId: 'c1' })(request, response));
    await expect(client.startRun('c', { kind: 'install', nodes: [], dryRun: false, force: false })).resolves.toEqual({ runId: 'r1', clusterId: 'c1' });
    expect(seen).toHaveLength(2);
    expect(seen[1]?.headers['idempotency-key']).toBe(seen[0]?.headers['idempotency-key']);
  });
  it('does not wait for ever', async () => {
    answer = () => undefined;
    const hasty = new ApiClient(await connectTo(server), { token: '', timeoutMs: 100 });
    await expect(hasty.clusters()).rejects.toMatchObject({ name: 'ConnectionError', reason: 'timeout' });
    hasty.close();
  });
});

describe('trust', () => {
  it('needs our CA, by its certificate or by its pin', async () => {
    answer = json(200, page);
    const byPin = new ApiClient(await connectTo({ url: server.url, caPin: server.caPin }), { token: '' });
    await expect(byPin.runs()).resolves.toEqual(page);
    byPin.close();
    await expect(connectTo({ url: server.url, caPin: '0'.repeat(64) })).rejects.toMatchObject({ reason: 'untrusted' });
    await expect(connectTo({ url: server.url })).rejects.toMatchObject({ reason: 'untrusted' });
    await expect(connectTo({ url: 'http://example.org' })).rejects.toMatchObject({ reason: 'untrusted' });
  });
  it('refuses a certificate of another CA, and a node of ours that plays the server', async () => {
    const other = await tlsServer(json(200, page));
    const wrongCa = new ApiClient(await connectTo({ url: other.url, caPem: server.caPem }), { token: 'secret' });
    await expect(wrongCa.runs()).rejects.toMatchObject({ reason: 'untrusted' });
    wrongCa.close();
    await other.close();
    const node = await tlsServer(json(200, page), 'URI:spiffe://strata.local/cluster/c1/node/n1');
    const fooled = new ApiClient(await connectTo(node), { token: 'secret', patienceMs: 0 });
    await expect(fooled.runs()).rejects.toBeInstanceOf(ConnectionError);
    fooled.close();
    await node.close();
  });
  it('says so when nothing listens', async () => {
    const gone = new ApiClient(await connectTo({ url: 'https://127.0.0.1:1', caPem: server.caPem }), { token: '', patienceMs: 50 });
    await expect(gone.runs()).rejects.toMatchObject({ reason: 'refused', remedy: expect.stringContaining('strata up') as string });
    gone.close();
  });
});

describe('following a run', () => {
  const event = (seq: number, kind = 'RunHeld', body: unknown = { because: `b${seq}` }): string =>
    `id: ${seq}\ndata: ${JSON.stringify({ runId: 'r1', seq, at: seq, step: null, node: null, kind, body })}\n\n`;
  const all = async (options?: Parameters<ApiClient['follow']>[1]): Promise<RunEvent[]> => {
    const events: RunEvent[] = [];
    for await (const e of client.follow('r1', options)) events.push(e);
    return events;
  };

  it('resumes after the last event over broken connections: none missing, none twice, the unknown left out', async () => {
    const retries: string[] = [];
    answer = (request, response) => {
      const after = Number(request.headers['last-event-id'] ?? 0);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (seen.length === 1) return void response.write(event(1) + event(2, 'FutureKind', {}) + 'id: 3\nda', () => request.socket.destroy());
      if (seen.length === 2) return void request.socket.destroy();
      expect(after).toBe(2);
      response.end(`${event(2)}${event(3)}: ping\n\n${event(4, 'RunEnded', { result: 'done', because: '' })}event: end\ndata: {}\n\n`);
    };
    const events = await all({ onReconnect: (why) => retries.push(why) });
    expect(events.map((e) => e.seq)).toEqual([1, 3, 4]);
    expect(seen.map((s) => s.headers['last-event-id'])).toEqual([undefined, '2', '2']);
    expect(retries).toHaveLength(2);
  });
  it('begins where it is told', async () => {
    answer = (request, response) => response.writeHead(200).end(`${event(Number(request.headers['last-event-id']) + 1)}event: end\ndata: {}\n\n`);
    expect((await all({ after: 7 })).map((e) => e.seq)).toEqual([8]);
  });
  it('waits through a server that is not ready, and stops at a refusal', async () => {
    answer = (_, response) =>
      seen.length === 1
        ? response.writeHead(503).end()
        : json(404, { type: 'x', title: 'x', status: 404, detail: 'there is no run r1', remedy: 'list', code: 'not-found' })(_, response);
    await expect(all()).rejects.toMatchObject({ name: 'ApiError', code: 'not-found' });
    expect(seen).toHaveLength(2);
  });
  it('is left at once by its signal', async () => {
    answer = (_, response) => void response.writeHead(200).write(event(1));
    const left = new AbortController();
    const events: number[] = [];
    const reading = (async () => {
      for await (const e of client.follow('r1', { signal: left.signal })) {
        events.push(e.seq);
        left.abort();
      }
    })();
    await expect(reading).rejects.toMatchObject({ reason: 'aborted' });
    expect(events).toEqual([1]);
  });
});

describe('following pods', () => {
  const gone = (id: string, name: string): string => `event: gone\nid: ${id}\ndata: ${JSON.stringify({ namespace: 'shop', name })}\n\n`;
  const all = (id: string): string => `event: pods\nid: ${id}\ndata: ${JSON.stringify({ cluster: 'home', heardAt: 1, behind: null, pods: [] })}\n\n`;
  const some = async (count: number, options?: Parameters<ApiClient['followPods']>[1]): Promise<PodNews[]> => {
    const news: PodNews[] = [];
    for await (const n of client.followPods('home', options)) if (news.push(n) === count) break;
    return news;
  };
  it('goes on after the last word over broken connections, and leaves out what it does not know', async () => {
    const retries: string[] = [];
    answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (seen.length === 1)
        return void response.write(`${all('7-1.1')}event: weather\nid: 7-1.2\ndata: {}\n\n${gone('7-1.3', 'a')}event: go`, () => response.destroy());
      if (seen.length === 2) return void response.destroy();
      response.write(seen.length === 3 ? `: ping\n\n${gone('7-1.4', 'b')}` : all('8-1.1'));
      if (seen.length === 3) response.end();
    };
    const news = await some(4, { onReconnect: (why) => retries.push(why) });
    expect(news.map((n) => (n.event === 'gone' ? n.data.name : n.event))).toEqual(['pods', 'a', 'b', 'pods']);
    expect(seen.map((s) => [s.url, s.headers['last-event-id']])).toEqual(
      [undefined, '7-1.3', '7-1.3', '7-1.4'].map((id) => ['/v1/clusters/home/pods/stream', id]),
    );
    expect(retries).toHaveLength(3);
  });
  it('stops at a refusal, and at what is no word of the API', async () => {
    answer = json(409, { type: 'x', title: 'x', status: 409, detail: 'no Kubernetes', remedy: 'install', code: 'no-kubeconfig' });
    await expect(some(1)).rejects.toMatchObject({ name: 'ApiError', code: 'no-kubeconfig' });
    answer = (_, response) => void response.writeHead(200).write('event: pod\ndata: {"name":1}\n\n');
    await expect(some(1)).rejects.toBeInstanceOf(UnexpectedAnswer);
  });
});

describe('sending a bundle file', () => {
  const taken = { name: 'site', version: '1.0.0', signer: 's', digest: '0'.repeat(64), created: '', expires: '', artifacts: [], bundles: [], at: '', by: '' };
  async function* pieces(count: number): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < count; i += 1) yield Buffer.alloc(1 << 16, i);
  }
  it('sends every byte, with its number, and no key that would answer for another', async () => {
    let got = 0;
    answer = (request, response) =>
      void request
        .on('data', (piece: Buffer) => (got += piece.length))
        .on('end', () => response.writeHead(200).end(JSON.stringify({ taken, added: 1, kept: [] })));
    expect(await client.pushBundleFile({ pieces: pieces(40), size: 40 << 16 })).toMatchObject({ added: 1 });
    expect([got, seen[0]?.headers['content-length'], seen[0]?.headers['idempotency-key']]).toEqual([40 << 16, String(40 << 16), undefined]);
  });
  it('hears a refusal ahead of its end, and leaves the rest unsent', async () => {
    let asked = 0;
    const many = async function* (): AsyncGenerator<Uint8Array> {
      for await (const piece of pieces(100_000)) {
        asked += 1;
        yield piece;
      }
    };
    answer = (request, response) => void request.once('data', () => json(422, { type: 'x', title: 'no', status: 422, detail: 'unknown signer', remedy: 'trust', code: 'bundle-file-unknown-signer' })(request, response)); // prettier-ignore
    await expect(client.pushBundleFile({ pieces: many(), size: 100_000 * 65_536 })).rejects.toMatchObject({ code: 'bundle-file-unknown-signer' });
    expect(asked).toBeLessThan(1_000);
  });
  it('says so when the file cannot be read, or the line breaks', async () => {
    answer = (request) => void request.resume();
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield* pieces(1);
      throw new Error('the disk is gone');
    };
    await expect(client.pushBundleFile({ pieces: broken(), size: 9e9 })).rejects.toThrow('the disk is gone');
    answer = (request) => void request.once('data', () => request.socket.destroy());
    await expect(client.pushBundleFile({ pieces: pieces(100_000), size: 100_000 * 65_536 })).rejects.toMatchObject({ name: 'ConnectionError', reason: 'lost' });
  });
});
