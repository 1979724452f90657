import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type Agent } from 'node:https';
import { dirname } from 'node:path';
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
  /** Milliseconds to get a connection (default 5 s) and without a single byte (default 60 s). The whole may take as long as it needs. */
  connectMs?: number;
  stallMs?: number;
}

interface Part {
  bytes: number;
  hash: Hash;
}

class WrongBytes extends Error {}

const progressEvery = 4 << 20;
const batchBytes = 1 << 20;

/**
 * Fetches a blob, going on from what an earlier try left in `<into>.part`, and verifies its sha256 before it gets its name. An address that breaks
 * off after giving bytes is asked again; otherwise the next one is. Throws when every address failed, with the reason of each; local errors
 * (disk full, no permission) and an abort at once. Nothing is fsynced: after a power cut whoever uses the file looks at its sha256 again.
 */
export async function fetchBlob(options: FetchBlobOptions): Promise<void> {
  const { blob, into, addresses, signal } = options;
  if (await isWhole(into, blob)) return;
  await mkdir(dirname(into), { recursive: true });
  const partPath = `${into}.part`;
  const reasons: string[] = [];
  for (const address of addresses) {
    for (;;) {
      signal?.throwIfAborted();
      const part = await readPart(partPath, blob.size);
      const before = part.bytes;
      try {
        if (part.bytes < blob.size || blob.size === 0) await fetchRest(address, part, { ...options, partPath });
        const got = part.hash.digest('hex');
        if (got !== blob.sha256) {
          await rm(partPath, { force: true });
          throw new WrongBytes(`the bytes hash to ${got}, expected ${blob.sha256}; what was fetched is thrown away`);
        }
        return await rename(partPath, into);
      } catch (error) {
        signal?.throwIfAborted();
        if (isLocal(error)) throw new Error(`${into} cannot be written: ${(error as Error).message}`, { cause: error });
        if (error instanceof WrongBytes && before > 0) continue; // the part was damaged: once more from the beginning
        const after = (await stat(partPath).catch(() => undefined))?.size ?? 0;
        if (after > before) continue;
        reasons.push(`${address}: ${(error as Error).message}`);
        break;
      }
    }
  }
  const tried = reasons.length > 0 ? reasons.join('; ') : 'no address was given';
  throw new Error(
    `blob ${blob.sha256} (${blob.size} bytes) could not be fetched. ${tried}. Check that this node reaches one of the server's addresses on its artifact port.`,
  );
}

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
    return { bytes: 0, hash };
  }
  if (bytes > 0) for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return { bytes, hash };
}

async function fetchRest(address: string, part: Part, options: FetchBlobOptions & { partPath: string }): Promise<void> {
  const { blob, partPath } = options;
  const response = await get(new URL(`/v1/blobs/${blob.sha256}`, address), part.bytes, options);
  const expected = part.bytes > 0 ? 206 : 200;
  if (response.statusCode !== expected) {
    response.resume();
    if (response.statusCode === 200) await rm(partPath, { force: true });
    response.destroy();
    throw new Error(`it answered ${response.statusCode}, expected ${expected}`);
  }
  const stallMs = options.stallMs ?? 60_000;
  let stalled: NodeJS.Timeout | undefined;
  const beat = (): void => {
    clearTimeout(stalled);
    stalled = setTimeout(() => response.destroy(new Error(`no byte for ${stallMs / 1000} s at ${part.bytes} of ${blob.size}`)), stallMs);
  };
  const file = await open(partPath, 'a', 0o600);
  try {
    beat();
    await append(file, { response, part, beat, options });
  } finally {
    clearTimeout(stalled);
    response.destroy();
    await file.close();
  }
  if (part.bytes !== blob.size) throw new Error(`it ended after ${part.bytes} of ${blob.size} bytes`);
}

/**
 * Writes and hashes what comes in. TLS hands over 16 KiB at a time: they are gathered, so that the disk and the hash are asked once a MiB;
 * while one batch is written, the next is gathered.
 */
async function append(file: FileHandle, job: { response: IncomingMessage; part: Part; beat: () => void; options: FetchBlobOptions }): Promise<void> {
  const { part, options } = job;
  let reported = part.bytes;
  let seen = part.bytes;
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
    if (part.bytes - reported >= progressEvery) options.progress?.((reported = part.bytes), options.blob.size);
  };
  try {
    for await (const chunk of job.response as AsyncIterable<Buffer>) {
      job.beat();
      seen += chunk.length;
      if (seen > options.blob.size) throw new Error(`it sent more than ${options.blob.size} bytes`);
      batch.push(chunk);
      gathered += chunk.length;
      if (gathered >= batchBytes) await flush();
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
  const { connectMs = 5_000, stallMs = 60_000, signal, agent } = options;
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
