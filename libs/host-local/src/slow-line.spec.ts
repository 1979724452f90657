import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { fetchBlob } from './fetch-blob';
import { localHost } from './local-host';
import { runProgram } from './programs';

const body = Buffer.alloc(6 << 20, 'the same again and again, as programs are; ');
const blob = { sha256: createHash('sha256').update(body).digest('hex'), size: body.length };
const servers: Server[] = [];
const dir = mkdtempSync(join(tmpdir(), 'slow-line-'));
afterAll(async () => {
  await runProgram(['umount', join(dir, 'small')]);
  rmSync(dir, { recursive: true, force: true });
});
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
let n = 0;
const place = (): string => join(dir, `blob-${(n += 1)}`);

/** A server as ours is: plain bytes slowly, and packed ones from where it is told. */
function ours(asked: string[], o: { cut?: number; packs?: boolean } = {}): RequestListener {
  return (request, response) => {
    asked.push(`${request.url?.replace(blob.sha256, 'B') ?? ''} ${request.headers.range ?? ''}`.trim());
    const from = Number(/from=(\d+)/.exec(request.url ?? '')?.[1] ?? /bytes=(\d+)/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (request.url?.includes('/rest')) {
      if (o.packs === false) return void response.writeHead(404).end();
      const packed = zstdCompressSync(body.subarray(from));
      response.writeHead(200, { 'content-encoding': 'zstd' });
      return void response.write(packed.subarray(0, o.cut ?? Infinity), () =>
        o.cut === undefined ? response.end() : setTimeout(() => response.destroy(), 20),
      );
    }
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': body.length - from });
    response.write(body.subarray(from, from + (1 << 20)));
    setTimeout(() => response.end(body.subarray(from + (1 << 20))), 300);
  };
}

test('a line that turns out to be slow gets the rest packed, from the byte it has come to', async () => {
  const asked: string[] = [];
  const into = place();
  await fetchBlob({ addresses: [await serve(ours(asked))], blob, into, slowLine: () => true });
  expect(asked).toEqual(['/v1/blobs/B/rest?from=0']);
  expect(readFileSync(into).equals(body)).toBe(true);
  asked.length = 0;
  let slow = false;
  await fetchBlob({ addresses: [await serve(ours(asked))], blob, into: place(), slowLine: () => slow, progress: () => (slow = true) });
  expect(asked).toEqual(['/v1/blobs/B', expect.stringMatching(/^\/v1\/blobs\/B\/rest\?from=[1-9]\d+$/)]);
});
test('an older server that packs nothing is asked for plain bytes', async () => {
  const asked: string[] = [];
  const into = place();
  await fetchBlob({ addresses: [await serve(ours(asked, { packs: false }))], blob, into, slowLine: () => true });
  expect(asked).toEqual(['/v1/blobs/B/rest?from=0', '/v1/blobs/B']);
  expect(readFileSync(into).equals(body)).toBe(true);
});
test('a packed transfer that breaks off is gone on with, and never taken for whole', async () => {
  const into = place();
  const broken = await serve(ours([], { cut: 40 }));
  await expect(fetchBlob({ addresses: [broken], blob, into, slowLine: () => true })).rejects.toThrow(/broke off|ended after|aborted/);
  expect(() => statSync(into)).toThrow();
  await fetchBlob({ addresses: [broken, await serve(ours([]))], blob, into, slowLine: () => true });
  expect(readFileSync(into).equals(body)).toBe(true);
});
test('a packed transfer that is over before anybody listens to it ends all the same', async () => {
  const packed = zstdCompressSync(body);
  const address = await serve((_request, response) => {
    response.writeHead(200, { 'content-encoding': 'zstd' });
    response.write(packed.subarray(0, 40), () => response.destroy());
  });
  for (let tries = 0; tries < 60; tries += 1)
    await expect(fetchBlob({ addresses: [address], blob, into: place(), slowLine: () => true })).rejects.toThrow(/broke off|ended after|aborted|hang up|ECONNRESET/);
}, 30_000);
test('a line that stalls is named with its byte, and gone on with as soon as it gives again', async () => {
  const said: string[] = [];
  let calls = 0;
  const address = await serve((request, response) => {
    calls += 1;
    const from = Number(/bytes=(\d+)/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (calls === 2) return; // not a word
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': body.length - from });
    if (calls > 2) response.end(body.subarray(from));
    else response.write(body.subarray(from, from + (2 << 20))); // and no more
  });
  const into = place();
  await fetchBlob({ addresses: [address], blob, into, stallMs: 300, patienceMs: 60_000, onTrouble: (why) => said.push(why) });
  expect(said).toEqual([`${address}: no byte for 0.3 s at 2097152 of ${body.length}`, `${address}: no answer in 0.3 s`]);
  expect(readFileSync(into).equals(body)).toBe(true);
}, 30_000);

describe('a node with a small disk', () => {
  const stateDir = join(dir, 'small');
  const artifact = { kind: 'file' as const, name: 'big', version: '1.0.0', blob };
  const node = (address: string): ReturnType<typeof localHost>['artifacts'] =>
    localHost({ stateDir, artifacts: () => ({ addresses: [address], tls: { ca: '', cert: '', key: '' } }) }).artifacts;
  const hold = async (size: string): Promise<void> => {
    await runProgram(['umount', stateDir]);
    await runProgram(['mkdir', '-p', stateDir]);
    expect((await runProgram(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', stateDir])).code).toBe(0);
  };
  test('is told before anything is fetched what is needed, what is free and where', async () => {
    await hold('20M');
    const asked: string[] = [];
    const fetched = node(await serve(ours(asked))).fetch([artifact], {});
    await expect(fetched).rejects.toMatchObject({
      code: 'disk-full',
      message: expect.stringMatching(/^1 files of 1 artifacts need 6\.3 MB in .*; (20|21)\.\d MB are free on .*small/) as string,
      remedy: expect.stringMatching(/^free \d+\.\d MB on .*small/) as string,
    });
    expect(asked).toEqual([]);
  });
  test('that fills while it fetches keeps nothing half there, and the second try works', async () => {
    await hold('64M');
    const address = await serve((request, response) => {
      writeFileSync(join(stateDir, 'other'), Buffer.alloc(61 << 20)); // somebody else's
      ours([])(request, response);
    });
    await expect(node(address).fetch([artifact], {})).rejects.toMatchObject({ code: 'disk-full', message: expect.stringContaining('small is full') as string });
    expect((await runProgram(['find', stateDir, '-name', '*.part'])).stdout).toBe('');
    rmSync(join(stateDir, 'other'));
    await node(await serve(ours([]))).fetch([artifact], {});
    expect(readFileSync(join(stateDir, 'artifacts/blobs', blob.sha256)).equals(body)).toBe(true);
  });
});
