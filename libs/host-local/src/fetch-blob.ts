import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type Agent } from 'node:https';
import { dirname } from 'node:path';
import type { Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { createZstdDecompress } from 'node:zlib';
import type { Blob } from '@strata/model';

export interface FetchBlobOptions {
  /** Base addresses of the artifact server, such as `https://10.0.0.5:7445`; asked in this order. */
  addresses: readonly string[];
  blob: Blob;
  /** Where the whole and verified file appears; until then it grows as `<into>.part`. */
  into: string;
  /** Carries the client's certificate and the server's CA. */
  agent?: Agent;
  progress?: (bytes: number, total: number) => void;
  signal?: AbortSignal;
  /** Milliseconds to get a connection (default 20 s; of an address beside the first a quarter) and without a single byte (default 60 s). The whole may take as long as it needs. */
  connectMs?: number;
  stallMs?: number;
  /** How long a line that gives nothing is asked again and again before this gives up (ms; default 0: each address once). A refusal is not asked twice. */
  patienceMs?: number;
  /** Told why nothing comes, each time that all addresses were asked in vain and will be asked again. */
  onTrouble?: (why: string) => void;
  /** Whether the line is slow: then the rest is asked for packed, which costs the server's time. Asked at each request and while plain bytes come. */
  slowLine?: () => boolean;
}

interface Part {
  /** On the disk; `seen` also counts what is about to be written. */
  bytes: number;
  seen: number;
  hash: Hash;
}

class WrongBytes extends Error {}
/** The server said no: another request would hear the same. */
class Answered extends Error {}
/** The line turned out to be slow: the rest comes packed. */
class TurnedSlow extends Error {}

const progressEveryMs = 1_000;
const batchBytes = 1 << 20;
/** What is left must be worth another request. */
const worthPacking = 1 << 20;
const pauseMs = 3_000;

/**
 * Fetches a blob, going on from what an earlier try left in `<into>.part`, and verifies its sha256 before it gets its name. An address that breaks
 * off after giving bytes is asked again; otherwise the next one is. Throws when every address failed, with the reason of each, and the line's patience
 * is over; local errors (disk full, no permission) and an abort at once. Nothing is fsynced: after a power cut whoever uses the file looks at its
 * sha256 again.
 */
export async function fetchBlob(options: FetchBlobOptions): Promise<void> {
  const { blob, into, addresses, signal, patienceMs = 0 } = options;
  if (await isWhole(into, blob)) return;
  await mkdir(dirname(into), { recursive: true });
  for (let since = performance.now(); ;) {
    const reasons: string[] = [];
    let hopeless = true;
    for (const [i, address] of addresses.entries()) {
      const ended = await askOne(address, { ...options, connectMs: (options.connectMs ?? 20_000) / (i === 0 ? 1 : 4) });
      if (ended === 'whole') return;
      if (ended.came) since = performance.now();
      hopeless &&= ended.hopeless;
      reasons.push(`${address}: ${ended.why}`);
    }
    const tried = reasons.length > 0 ? reasons.join('; ') : 'no address was given';
    const quiet = performance.now() - since;
    if (hopeless || quiet >= patienceMs)
      throw new Error(
        `blob ${blob.sha256} (${blob.size} bytes) could not be fetched${patienceMs > 0 && !hopeless ? `, and nothing came for ${Math.round(quiet / 1000)} s` : ''}. ${tried}. Check that this node reaches one of the server's addresses on its artifact port.`,
      );
    options.onTrouble?.(tried);
    await sleep(pauseMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
  }
}

/** Asks one address for as long as it gives bytes. */
async function askOne(address: string, options: FetchBlobOptions): Promise<'whole' | { why: string; hopeless: boolean; came: boolean }> {
  const { blob, into, signal } = options;
  const partPath = `${into}.part`;
  let packs = true;
  let came = false;
  for (;;) {
    signal?.throwIfAborted();
    const part = await readPart(partPath, blob.size);
    const before = part.bytes;
    try {
      if (part.bytes < blob.size || blob.size === 0) await fetchRest(address, part, { ...options, partPath, slowLine: () => packs && (options.slowLine?.() ?? false) });
      const got = part.hash.digest('hex');
      if (got !== blob.sha256) {
        await rm(partPath, { force: true });
        throw new WrongBytes(`the bytes hash to ${got}, expected ${blob.sha256}; what was fetched is thrown away`);
      }
      await rename(partPath, into);
      return 'whole';
    } catch (error) {
      signal?.throwIfAborted();
      if (isLocal(error)) throw new Error(`${into} cannot be written: ${(error as Error).message}`, { cause: error });
      if (error instanceof TurnedSlow) continue;
      if (error instanceof WrongBytes && before > 0) continue; // the part was damaged: once more from the beginning
      if (error instanceof Answered && packs && options.slowLine?.()) {
        packs = false; // a server that is older than this
        continue;
      }
      const after = (await stat(partPath).catch(() => undefined))?.size ?? 0;
      came ||= after > before;
      if (after > before) {
        options.onTrouble?.(`${address}: ${(error as Error).message}`);
        continue;
      }
      const refused = (error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
      return { why: (error as Error).message, hopeless: refused || error instanceof Answered || error instanceof WrongBytes, came };
    }
  }
} // prettier-ignore

/** Errors of our own disk, which no other address would cure. */
function isLocal(error: unknown): boolean {
  return (
    ['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'EISDIR', 'ENOTDIR', 'EIO', 'EFBIG'].includes((error as NodeJS.ErrnoException).code ?? '') &&
    'syscall' in (error as object) &&
    !('address' in (error as object))
  );
}

async function isWhole(path: string, blob: Blob): Promise<boolean> {
  if ((await stat(path).catch(() => undefined))?.size !== blob.size) return false;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex') === blob.sha256;
}

async function readPart(path: string, size: number): Promise<Part> {
  const hash = createHash('sha256');
  const bytes = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (bytes > size) {
    await rm(path, { force: true });
    return { bytes: 0, seen: 0, hash };
  }
  if (bytes > 0) for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return { bytes, seen: bytes, hash };
}

async function fetchRest(address: string, part: Part, options: FetchBlobOptions & { partPath: string; slowLine: () => boolean }): Promise<void> {
  const { blob, partPath } = options;
  const packed = blob.size - part.bytes > worthPacking && options.slowLine();
  const url = new URL(packed ? `/v1/blobs/${blob.sha256}/rest?from=${part.bytes}` : `/v1/blobs/${blob.sha256}`, address);
  const response = await get(url, packed ? 0 : part.bytes, options);
  const expected = part.bytes > 0 && !packed ? 206 : 200;
  if (response.statusCode !== expected) {
    response.resume();
    if (response.statusCode === 200) await rm(partPath, { force: true });
    response.destroy();
    throw new Answered(`it answered ${response.statusCode}, expected ${expected}`);
  }
  const stallMs = options.stallMs ?? 60_000;
  let stalled: NodeJS.Timeout | undefined;
  const beat = (): void => {
    clearTimeout(stalled);
    stalled = setTimeout(() => response.destroy(new Error(`no byte for ${stallMs / 1000} s at ${part.seen} of ${blob.size}`)), stallMs);
  };
  const file = await open(partPath, 'a', 0o600);
  try {
    beat();
    if (!packed) await append(file, { content: response, part, beat, mayTurn: options.slowLine, options });
    else {
      const content = response.pipe(createZstdDecompress());
      const broken = brokenOff(response, content);
      await Promise.race([broken, append(file, { content, part, beat, mayTurn: () => false, options })]);
    }
  } finally {
    clearTimeout(stalled);
    response.destroy();
    await file.close();
  }
  if (part.bytes !== blob.size) throw new Error(`it ended after ${part.bytes} of ${blob.size} bytes`);
}

/**
 * Rejects when the line breaks off under a packed transfer. What has come is unpacked first; an unpacker that is destroyed while it works
 * may never say that it ended (Node 24, zstd), so nobody waits for that longer than a second.
 */
function brokenOff(response: IncomingMessage, content: Transform): Promise<never> {
  return new Promise<never>((_, reject) => {
    const end = (error: Error): void => {
      content.destroy(error);
      setTimeout(() => reject(error), 1000);
    };
    const closed = (): void => void (response.complete || end(new Error('the line broke off')));
    if (response.closed) return closed(); // it may have been over before anybody listened
    response.once('error', end).once('close', closed);
  });
}

/**
 * Writes and hashes what comes in. TLS hands over 16 KiB at a time: they are gathered, so that the disk and the hash are asked once a MiB;
 * while one batch is written, the next is gathered.
 */
async function append(
  file: FileHandle,
  job: { content: AsyncIterable<Buffer>; part: Part; beat: () => void; mayTurn: () => boolean; options: FetchBlobOptions },
): Promise<void> {
  const { part, options } = job;
  let flushed = performance.now();
  let batch: Buffer[] = [];
  let gathered = 0;
  let writing: Promise<void> = Promise.resolve();
  const flush = async (): Promise<void> => {
    const [chunks, bytes] = [batch, gathered];
    [batch, gathered] = [[], 0];
    await writing;
    for (const chunk of chunks) part.hash.update(chunk);
    writing = writeAll(file, chunks).then(() => void (part.bytes += bytes));
    writing.catch(() => undefined); // it is awaited by the next batch
    flushed = performance.now();
    options.progress?.(part.bytes, options.blob.size);
  };
  try {
    for await (const chunk of job.content) {
      job.beat();
      part.seen += chunk.length;
      if (part.seen > options.blob.size) throw new Error(`it sent more than ${options.blob.size} bytes`);
      batch.push(chunk);
      gathered += chunk.length;
      if (gathered >= batchBytes || performance.now() - flushed >= progressEveryMs) await flush();
      if (options.blob.size - part.seen > worthPacking && job.mayTurn()) throw new TurnedSlow();
    }
  } finally {
    await flush(); // also what came before it broke off
    await writing;
  }
  if (part.bytes === options.blob.size && part.bytes > 0) options.progress?.(part.bytes, options.blob.size);
}
async function writeAll(file: FileHandle, chunks: Buffer[]): Promise<void> {
  let rest = chunks;
  while (rest.length > 0) {
    let { bytesWritten: left } = await file.writev(rest);
    const next: Buffer[] = [];
    for (const chunk of rest) {
      if (left >= chunk.length) left -= chunk.length;
      else {
        next.push(left > 0 ? chunk.subarray(left) : chunk);
        left = 0;
      }
    }
    rest = next;
  }
}

async function get(url: URL, from: number, options: FetchBlobOptions): Promise<IncomingMessage> {
  const { connectMs = 20_000, stallMs = 60_000, signal, agent } = options;
  const headers = from > 0 ? { range: `bytes=${from}-`, 'if-range': `"${options.blob.sha256}"` } : {};
  return new Promise((resolve, reject) => {
    const common = { headers, ...(signal ? { signal } : {}) };
    const request = url.protocol === 'https:' ? httpsRequest(url, { ...common, ...(agent ? { agent } : {}) }) : httpRequest(url, common);
    let timer = setTimeout(() => request.destroy(new Error(`no connection in ${connectMs / 1000} s`)), connectMs);
    const answerTimer = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => request.destroy(new Error(`no answer in ${stallMs / 1000} s`)), stallMs);
    };
    request.once('socket', (socket) => (socket.connecting ? socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', answerTimer) : answerTimer()));
    request.once('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    request.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.end();
  });
}
