import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchBlob } from './fetch-blob';

const body = randomBytes(3 << 20);
const blob = { sha256: createHash('sha256').update(body).digest('hex'), size: body.length };
const servers: Server[] = [];
let dir: string;
let into: string;

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that holds the blob; `cut` ends each answer after so many bytes. */
const good =
  (ranges: (string | undefined)[], cut = Infinity): RequestListener =>
  (request, response) => {
    ranges.push(request.headers.range);
    const start = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, { 'content-length': body.length - start });
    const rest = body.subarray(start, Math.min(body.length, start + cut));
    response.write(rest, () => (start + rest.length < body.length ? setTimeout(() => response.destroy(), 20) : response.end()));
  };

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fetch-blob-'));
  into = join(dir, 'deep', 'blob');
});
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await rm(dir, { recursive: true });
});

describe('fetchBlob', () => {
  it('fetches, verifies, names, and does not ask again for what is whole', async () => {
    const ranges: (string | undefined)[] = [];
    const seen: number[] = [];
    const address = await serve(good(ranges));
    await fetchBlob({ addresses: [address], blob, into, progress: (bytes) => seen.push(bytes) });
    await fetchBlob({ addresses: [address], blob, into });
    expect(ranges).toEqual([undefined]);
    expect(seen.at(-1)).toBe(blob.size);
    expect((await readFile(into)).equals(body)).toBe(true);
    expect(await readdir(join(dir, 'deep'))).toEqual(['blob']);
  });

  it('goes on from where the connection broke, also after a restart of the process', async () => {
    const ranges: (string | undefined)[] = [];
    const address = await serve(good(ranges, 1 << 20));
    await fetchBlob({ addresses: [address], blob, into });
    expect(ranges).toEqual([undefined, `bytes=${1 << 20}-`, `bytes=${2 << 20}-`]);
    await rm(into);
    await writeFile(`${into}.part`, body.subarray(0, 1000));
    await fetchBlob({ addresses: [await serve(good(ranges))], blob, into });
    expect(ranges.at(-1)).toBe('bytes=1000-');
    expect((await readFile(into)).equals(body)).toBe(true);
  });

  it('throws away a part that does not hash right and fetches all again', async () => {
    const address = await serve(good([]));
    const path = join(dir, 'other');
    await writeFile(`${path}.part`, Buffer.alloc(1000));
    await fetchBlob({ addresses: [address], blob, into: path });
    expect((await readFile(path)).equals(body)).toBe(true);
  });

  it('takes the next address when one is dead, refuses or stays silent, and names all when none works', async () => {
    const dead = await serve(() => undefined);
    const refusing = await serve((_, response) => response.writeHead(404).end());
    const options = { blob, into, stallMs: 200, connectMs: 200 };
    await fetchBlob({ ...options, addresses: ['http://127.0.0.1:1', refusing, dead, await serve(good([]))] });
    expect((await readFile(into)).equals(body)).toBe(true);
    await rm(into);
    await expect(fetchBlob({ ...options, addresses: ['http://127.0.0.1:1', refusing, dead] })).rejects.toThrow(
      /ECONNREFUSED.*answered 404.*no answer in 0.2 s/,
    );
  });

  it('gives up on a stalled transfer and leaves nothing under the name', async () => {
    const address = await serve((_, response) => {
      response.writeHead(200, { 'content-length': body.length });
      response.write(body.subarray(0, 10));
    });
    await expect(fetchBlob({ addresses: [address], blob, into, stallMs: 100 })).rejects.toThrow('could not be fetched');
    await expect(readFile(into)).rejects.toThrow('ENOENT');
  });

  it('never gives wrong bytes a name', async () => {
    const address = await serve((_, response) => response.end(Buffer.alloc(body.length)));
    await expect(fetchBlob({ addresses: [address], blob, into })).rejects.toThrow(/hash to .* thrown away/);
    expect(await readdir(join(dir, 'deep'))).toEqual([]);
  });

  it('stops at once when aborted', async () => {
    const abort = new AbortController();
    const address = await serve(() => abort.abort(new Error('cancelled')));
    await expect(fetchBlob({ addresses: [address], blob, into, signal: abort.signal })).rejects.toThrow('cancelled');
  });
});
