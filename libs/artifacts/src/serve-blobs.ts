import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import type { ArtifactStore } from './store';

export interface ServeBlobsOptions {
  store: ArtifactStore;
  /** May this request read this blob? (The listener has already checked the client's certificate.) */
  authorize: (request: IncomingMessage, sha256: string) => boolean | Promise<boolean>;
  /** Told about a transfer that broke off: the client went away, or the disk failed. */
  onBroken?: (sha256: string, error: Error) => void;
}

const route = /^\/v1\/blobs\/([0-9a-f]{64})(\/rest)?$/;
/** Programs and image layers shrink to a quarter at 180 MB a second: what a line of 100 Mbit/s brings costs a tenth of a core. */
const zstd = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

/**
 * Handler for `GET` and `HEAD /v1/blobs/<sha256>` with single ranges, ETag, If-Range and If-None-Match, and for `GET /v1/blobs/<sha256>/rest?from=N`:
 * the bytes from N on, packed by zstd as they are sent, for slow lines. It answers every request itself: 404 for another path or an unknown blob, 403, 405, 416. Blobs never change, so they may be cached for ever.
 */
export function serveBlobs(options: ServeBlobsOptions): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://blobs');
    const [, sha256, rest] = route.exec(url.pathname) ?? [];
    if (!sha256) return refuse(response, { status: 404, message: 'no such path; blobs are at /v1/blobs/<sha256>' });
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return refuse(response, { status: 405, message: 'only GET and HEAD', headers: { allow: 'GET, HEAD' } });
    if (!(await options.authorize(request, sha256))) return refuse(response, { status: 403, message: 'not allowed' });
    const size = await options.store.sizeOf(sha256);
    if (size === undefined) return refuse(response, { status: 404, message: `the blob ${sha256} is not in the store; obtain its artifact first` });
    if (rest !== undefined) return sendRest(options, { sha256, size }, { from: Number(url.searchParams.get('from') ?? 0), request, response });
    const etag = `"${sha256}"`;
    const common = { etag, 'accept-ranges': 'bytes', 'cache-control': 'private, max-age=31536000, immutable', 'content-type': 'application/octet-stream' };
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304, common).end();
    const ifRange = request.headers['if-range'];
    const range = ifRange === undefined || ifRange === etag ? parseRange(request.headers.range, size) : undefined;
    if (range === 'unsatisfiable')
      return refuse(response, { status: 416, message: 'no such range', headers: { ...common, 'content-range': `bytes */${size}` } });
    const { start, end } = range ?? { start: 0, end: size - 1 };
    response.writeHead(range ? 206 : 200, {
      ...common,
      'content-length': end - start + 1,
      ...(range ? { 'content-range': `bytes ${start}-${end}/${size}` } : {}),
    });
    if (request.method === 'HEAD' || size === 0) return void response.end();
    try {
      await pipeline(await options.store.read({ sha256, size }, { start, end }), response);
    } catch (error) {
      options.onBroken?.(sha256, error as Error);
      response.destroy();
    }
  };
}

async function sendRest(
  { store, onBroken }: ServeBlobsOptions,
  blob: { sha256: string; size: number },
  { from, request, response }: { from: number; request: IncomingMessage; response: ServerResponse },
): Promise<void> {
  if (!Number.isSafeInteger(from) || from < 0 || from >= blob.size) return refuse(response, { status: 416, message: 'no such rest' });
  response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-encoding': 'zstd', 'cache-control': 'no-transform', 'x-from': from });
  if (request.method === 'HEAD') return void response.end();
  try {
    await pipeline(await store.read(blob, { start: from, end: blob.size - 1 }), createZstdCompress(zstd), response);
  } catch (error) {
    onBroken?.(blob.sha256, error as Error);
    response.destroy();
  }
}

/** A single `bytes=` range; undefined when there is none or several (then all is sent, as RFC 9110 allows). Both ends inclusive. */
function parseRange(header: string | undefined, size: number): { start: number; end: number } | 'unsatisfiable' | undefined {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (from === undefined || to === undefined || (from === '' && to === '')) return undefined;
  if (from === '') return Number(to) === 0 ? 'unsatisfiable' : { start: Math.max(0, size - Number(to)), end: size - 1 };
  const start = Number(from);
  const end = to === '' ? size - 1 : Math.min(Number(to), size - 1);
  if (to !== '' && Number(to) < start) return undefined;
  return start >= size ? 'unsatisfiable' : { start, end };
}

function refuse(response: ServerResponse, because: { status: number; message: string; headers?: Record<string, string> }): void {
  const { status, message, headers = {} } = because;
  response.writeHead(status, { ...headers, 'content-type': 'text/plain; charset=utf-8' }).end(`${message}\n`);
}
