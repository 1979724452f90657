import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { OnProgress } from './progress';
import { environmentsWay, type WayOut } from './way-out';

export interface DownloadOptions {
  progress: OnProgress;
  signal?: AbortSignal;
  /** Milliseconds to get a connection. */
  connectMs?: number;
  /** Milliseconds without a single byte before giving up; there is no limit on the whole. */
  stallMs?: number;
  headers?: Record<string, string>;
  /** Which way out. Default: what this process's environment says. */
  way?: WayOut;
}

/** The host cannot be reached, as opposed to: it answered and refused. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

const defaults = { connectMs: 4_000, stallMs: 60_000 };
const attempts = 4;
const maxRedirects = 5;
const rememberMs = 10 * 60_000;
/** Hosts that could not be reached lately: asked once only, so that a private network does not pay for every artifact. */
const unreachable = new Map<string, { reason: string; at: number }>();

/**
 * Fetches `url` into the file `into`, going on where an earlier try stopped (Range and If-Range with the ETag kept beside the file).
 * Throws `Unreachable` when no connection comes about, at once for a host that failed in the last 10 minutes.
 */
export async function download(url: string, into: string, options: DownloadOptions): Promise<void> {
  await mkdir(dirname(into), { recursive: true });
  for (let attempt = 1; ; attempt++) {
    try {
      return await downloadOnce(url, into, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      if (error instanceof Unreachable || error instanceof Refused || attempt === attempts) throw error;
      options.progress({ bytes: 0, total: 0, note: `${url}: ${(error as Error).message}; going on from where it stopped` });
    }
  }
}

/** Fetches a small text (a checksum file, a manifest), at most 1 MiB. */
export async function downloadText(url: string, options: DownloadOptions): Promise<string> {
  return (await readSmall((await open(url, options)).response, url)).toString();
}

/** Reads an answer of at most 1 MiB. */
export async function readSmall(response: IncomingMessage, url: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).length;
    if (size > 1 << 20) throw new Error(`${url} is larger than 1 MiB, too much for what was asked`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

class Refused extends Error {
  override readonly name = 'Refused';
}

async function downloadOnce(url: string, into: string, options: DownloadOptions): Promise<void> {
  const tagFile = `${into}.etag`;
  const tag = await readFile(tagFile, 'utf8').catch(() => undefined);
  const have = tag ? ((await stat(into).catch(() => undefined))?.size ?? 0) : 0;
  const range: Record<string, string> = have > 0 && tag ? { range: `bytes=${have}-`, 'if-range': tag } : {};
  const { response, abort } = await open(url, { ...options, headers: { ...options.headers, ...range } }, [200, 206, 416]);
  if (response.statusCode === 416) {
    response.resume();
    const total = Number(/\/(\d+)$/.exec(response.headers['content-range'] ?? '')?.[1] ?? -1);
    if (total === have) return;
    await rm(into, { force: true });
    throw new Error(`the server has ${total} bytes, ${have} are here: beginning anew`);
  }
  const resumed = response.statusCode === 206;
  let bytes = resumed ? have : 0;
  const length = Number(response.headers['content-length'] ?? 0);
  const total = length > 0 ? bytes + length : 0;
  const etag = response.headers.etag ?? response.headers['last-modified'];
  if (etag && !etag.startsWith('W/')) await writeFile(tagFile, etag);
  else await rm(tagFile, { force: true });
  let last = 0;
  const stallMs = options.stallMs ?? defaults.stallMs;
  let stalled: NodeJS.Timeout | undefined;
  const beat = (): void => {
    clearTimeout(stalled);
    stalled = setTimeout(() => abort(new Error(`no byte for ${stallMs / 1000} s`)), stallMs);
  };
  beat();
  try {
    await pipeline(
      response,
      async function* (source: AsyncIterable<Buffer>) {
        for await (const chunk of source) {
          bytes += chunk.length;
          beat();
          if (bytes - last > 1 << 20) options.progress({ bytes: (last = bytes), total, note: `fetching ${url}` });
          yield chunk;
        }
      },
      createWriteStream(into, { flags: resumed ? 'a' : 'w' }),
    );
  } finally {
    clearTimeout(stalled);
  }
  if (total > 0 && bytes !== total) throw new Error(`${url} ended after ${bytes} of ${total} bytes`);
  options.progress({ bytes, total: bytes, note: `fetched ${url}` });
}

interface Opened {
  response: IncomingMessage;
  abort: (reason: Error) => void;
}

/** Whether anything at all answers there. */
export async function answers(url: string, options: Pick<DownloadOptions, 'way' | 'connectMs' | 'stallMs'>): Promise<boolean> {
  try {
    const { response, abort } = await get(new URL(url), { progress: () => undefined, ...options });
    abort(new Error('not needed'));
    return response.statusCode !== undefined;
  } catch {
    return false;
  }
}

/** Opens a GET and follows redirects. Throws when the status is none of `accepted`. */
export async function open(url: string, options: DownloadOptions, accepted: readonly number[] = [200]): Promise<Opened> {
  let at = new URL(url);
  let headers = options.headers;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const opened = await get(at, { ...options, ...(headers ? { headers } : {}) });
    const { statusCode = 0, headers: answer } = opened.response;
    if (accepted.includes(statusCode)) return opened;
    opened.response.resume();
    opened.abort(new Error('not needed'));
    if (![301, 302, 303, 307, 308].includes(statusCode) || !answer.location) {
      const text = `${at.href} answered ${statusCode}`;
      throw statusCode >= 500 || statusCode === 429 ? new Error(text) : new Refused(text);
    }
    const next = new URL(answer.location, at);
    if (at.protocol === 'https:' && next.protocol !== 'https:') throw new Refused(`${at.href} redirects to the unencrypted ${next.href}`);
    if (next.host !== at.host && headers) headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'authorization'));
    at = next;
  }
  throw new Refused(`${url} redirects more than ${maxRedirects} times`);
}

async function get(url: URL, options: DownloadOptions): Promise<Opened> {
  const way = options.way ?? environmentsWay;
  const over = way.over(url);
  const place = `${url.host} ${way.id}`;
  const known = unreachable.get(place);
  if (known && Date.now() - known.at < rememberMs) throw new Unreachable(`${url.host} could not be reached a moment ago (${known.reason})`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new Refused(`${url.href} is neither http nor https`);
  const protocol = url.protocol;
  const { connectMs = defaults.connectMs, stallMs = defaults.stallMs, signal } = options;
  return new Promise<Opened>((resolve, reject) => {
    const send = protocol === 'https:' ? httpsRequest : httpRequest;
    const request = send(url, { agent: way.agent(url), headers: { 'user-agent': 'strata', ...options.headers }, ...(signal ? { signal } : {}) });
    let connected = false;
    const tooLong = setTimeout(() => request.destroy(new Error(`no connection in ${connectMs / 1000} s`)), connectMs);
    let silent: NodeJS.Timeout | undefined;
    request.once('socket', (socket) => {
      const onConnected = (): void => {
        connected = true;
        clearTimeout(tooLong);
        silent = setTimeout(() => request.destroy(new Error(`no answer in ${stallMs / 1000} s`)), stallMs);
      };
      if (socket.connecting) socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', onConnected);
      else onConnected();
    });
    request.once('response', (response) => {
      clearTimeout(tooLong);
      clearTimeout(silent);
      resolve({ response, abort: (reason) => response.destroy(reason) });
    });
    request.once('error', (cause) => {
      clearTimeout(tooLong);
      clearTimeout(silent);
      if (connected || signal?.aborted) return reject(new Error(`${url.href}: ${cause.message}`, { cause }));
      const reason = over === null ? cause.message : `${cause.message}, through the proxy ${over}`;
      unreachable.set(place, { reason, at: Date.now() });
      reject(new Unreachable(`${url.host} cannot be reached: ${reason}`, { cause }));
    });
    request.end();
  });
}
