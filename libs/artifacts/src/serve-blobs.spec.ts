import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveBlobs } from './serve-blobs';
import { ArtifactStore } from './store';
import { listen } from './testing/file-server';

let dir: string;
let url: string;
let close: () => Promise<void>;
let sha256: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'serve-'));
  const store = new ArtifactStore(dir);
  ({ sha256 } = await store.putText('0123456789'));
  const handler = serveBlobs({ store, authorize: (request) => request.headers['x-stranger'] === undefined });
  const server = await listen((request, response) => void handler(request, response));
  ({ close } = server);
  url = `${server.url}/v1/blobs/${sha256}`;
});
afterEach(async () => {
  await close();
  await rm(dir, { recursive: true });
});

describe('serveBlobs', () => {
  it('gives a whole blob that may be cached for ever', async () => {
    const answer = await fetch(url);
    expect([answer.status, await answer.text(), answer.headers.get('etag'), answer.headers.get('content-length')]).toEqual([
      200,
      '0123456789',
      `"${sha256}"`,
      '10',
    ]);
    expect(answer.headers.get('cache-control')).toContain('immutable');
    const head = await fetch(url, { method: 'HEAD' });
    expect([head.status, await head.text(), head.headers.get('content-length')]).toEqual([200, '', '10']);
    expect((await fetch(url, { headers: { 'if-none-match': `"${sha256}"` } })).status).toBe(304);
  });

  it.each([
    ['bytes=3-', 206, '3456789', 'bytes 3-9/10'],
    ['bytes=3-4', 206, '34', 'bytes 3-4/10'],
    ['bytes=-2', 206, '89', 'bytes 8-9/10'],
    ['bytes=8-99', 206, '89', 'bytes 8-9/10'],
    ['bytes=1-2,4-5', 200, '0123456789', null],
    ['bytes=4-3', 200, '0123456789', null],
    ['bytes=10-', 416, 'no such range\n', 'bytes */10'],
    ['bytes=-0', 416, 'no such range\n', 'bytes */10'],
  ])('answers %s with %i', async (range, ...expected) => {
    const answer = await fetch(url, { headers: { range } });
    expect([answer.status, await answer.text(), answer.headers.get('content-range')]).toEqual(expected);
  });

  it('sends all when If-Range names other content', async () => {
    const answer = await fetch(url, { headers: { range: 'bytes=3-', 'if-range': '"other"' } });
    expect([answer.status, await answer.text()]).toEqual([200, '0123456789']);
  });

  it('gives the rest of a blob from any byte, packed', async () => {
    for (const from of [0, 7]) {
      const answer = await fetch(`${url}/rest?from=${from}`);
      expect([answer.status, answer.headers.get('content-encoding')]).toEqual([200, 'zstd']);
      expect(await answer.text() /* fetch unpacks */).toBe('0123456789'.slice(from));
    }
    for (const wrong of ['10', '-1', '1.5', 'x']) expect((await fetch(`${url}/rest?from=${wrong}`)).status).toBe(416);
    expect((await fetch(`${url}/rest?from=0`, { headers: { 'x-stranger': '1' } })).status).toBe(403);
  });

  it('refuses strangers, other methods, unknown blobs and other paths', async () => {
    expect((await fetch(url, { headers: { 'x-stranger': '1' } })).status).toBe(403);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(405);
    expect((await fetch(url.replace(sha256, 'a'.repeat(64)))).status).toBe(404);
    expect((await fetch(url.replace(sha256, '..%2f..%2fetc%2fpasswd'))).status).toBe(404);
  });
});
