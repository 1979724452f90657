import { request } from 'node:https';
import type { SecureContext } from 'node:tls';
import { type Bucket, type BucketAccess, BucketError } from '@strata/tasks';
import { sign } from 'aws4';
import pLimit from 'p-limit';
import { isTlsError, trust } from './trust';

const answerMs = 30_000;
/** A store that knows no `Expect` is sent the content all the same. */
const continueMs = 2_000;
const largestBody = 8 << 20;
const atOnce = 16;

interface Call {
  method: 'GET' | 'PUT' | 'DELETE';
  key?: string;
  query?: Record<string, string>;
  body?: string;
}
interface Answer {
  status: number;
  headers: NodeJS.Dict<string | string[]>;
  body: string;
}
const encoded = (text: string): string => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const plain = (xml: string): string =>
  xml
    .replace(/&#(x?)([0-9a-fA-F]+);/g, (_, hex: string, digits: string) => String.fromCodePoint(parseInt(digits, hex === '' ? 10 : 16)))
    .replace(/&(amp|lt|gt|quot|apos);/g, (_, name: string) => entities[name] ?? '');
/** The texts of all elements of a name; S3's answers nest none in itself. */
const texts = (xml: string, name: string): string[] => [...xml.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map((m) => plain(m[1] ?? ''));

/** A bucket by S3 with signature version 4, the bucket's name in the path. */
export function localBucket(at: BucketAccess): Bucket {
  const trusted = trust(at.caPem);
  const ask = async (call: Call): Promise<Answer> => answerOf({ ...at, secureContext: trusted() }, call);
  const must = async (call: Call): Promise<Answer> => {
    const answer = await ask(call);
    if (answer.status < 300) return answer;
    throw refusal(at, call, answer);
  };
  return {
    list: async ({ prefix, delimiter, from }) => {
      const query = { 'list-type': '2', 'encoding-type': 'url', ...(prefix ? { prefix } : {}), ...(delimiter ? { delimiter } : {}), ...(from ? { 'continuation-token': from } : {}) };
      const { body } = await must({ method: 'GET', query });
      const decoded = (all: string[]): string[] => (body.includes('<EncodingType>url<') ? all.map((t) => decodeURIComponent(t.replaceAll('+', ' '))) : all);
      const folders = [...body.matchAll(/<CommonPrefixes>([^]*?)<\/CommonPrefixes>/g)].flatMap((m) => texts(m[1] ?? '', 'Prefix'));
      const next = texts(body, 'NextContinuationToken')[0] ?? null;
      return { keys: decoded(texts(body, 'Key')), folders: decoded(folders), next: body.includes('<IsTruncated>true<') ? next : null };
    },
    put: async (key, body) => {
      const version = (await must({ method: 'PUT', key, body })).headers['x-amz-version-id'];
      return { version: typeof version === 'string' && version !== 'null' && version !== '' ? version : null };
    },
    get: async (key) => {
      const call: Call = { method: 'GET', key };
      const answer = await ask(call);
      if (answer.status < 300) return answer.body;
      const error = refusal(at, call, answer);
      if (error.s3 === 'NoSuchKey') return null;
      throw error;
    },
    remove: async (keys) => {
      const limit = pLimit(atOnce);
      await Promise.all(
        keys.map((key) =>
          limit(async () => {
            const call: Call = { method: 'DELETE', key };
            const answer = await ask(call);
            if (answer.status >= 300 && answer.status !== 404) throw refusal(at, call, answer);
          }),
        ),
      );
    },
    setting: async (name) => {
      const answer = await ask({ method: 'GET', query: { [name]: '' } });
      if (answer.status >= 500 && answer.status !== 501) throw refusal(at, { method: 'GET' }, answer);
      return answer.status < 300 ? (texts(answer.body, name === 'versioning' ? 'Status' : 'ObjectLockEnabled')[0] ?? '') : null;
    },
  }; // prettier-ignore
}

async function answerOf(at: BucketAccess & { secureContext: SecureContext }, call: Call): Promise<Answer> {
  const { hostname, port } = new URL(at.endpoint);
  const query = Object.entries(call.query ?? {}).map(([k, v]) => `${encoded(k)}=${encoded(v)}`);
  const path = `/${at.bucket}${call.key === undefined ? '' : `/${call.key.split('/').map(encoded).join('/')}`}${query.length > 0 ? `?${query.join('&')}` : ''}`;
  const headers = { host: port === '' ? hostname : `${hostname}:${port}`, ...(call.body === undefined ? {} : { 'content-type': 'application/octet-stream', expect: '100-continue' }) };
  const signed = sign(
    { service: 's3', region: at.region, method: call.method, path, headers, ...(call.body === undefined ? {} : { body: call.body }) },
    { accessKeyId: at.access, secretAccessKey: at.secret },
  );
  const options = { hostname, port: port || 443, method: call.method, path, headers: signed.headers, agent: false as const, signal: AbortSignal.timeout(answerMs), secureContext: at.secureContext };
  return new Promise((resolve, reject) => {
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (c: Buffer) => {
        size += c.length;
        if (size > largestBody) return void response.destroy(new Error('the answer is too long'));
        chunks.push(c);
      });
      response.on('error', (cause) => reject(noAnswer(at, cause)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }));
    });
    sent.once('error', (cause) => reject(noAnswer(at, cause)));
    if (call.body === undefined) return void sent.end();
    // whoever refuses a write answers and hangs up: with the content on its way there, the answer would be lost
    const late = setTimeout(() => sent.end(call.body), continueMs);
    sent.once('close', () => clearTimeout(late)).once('continue', () => (clearTimeout(late), sent.end(call.body))).flushHeaders();
  });
} // prettier-ignore

function noAnswer(at: BucketAccess, cause: Error & { code?: string }): BucketError {
  const tls = isTlsError(cause.code);
  const words = cause.name === 'AbortError' || cause.name === 'TimeoutError' ? `no answer in ${answerMs / 1000} s` : cause.message;
  return new BucketError(tls ? 'tls' : 'unreachable', `${at.endpoint} ${tls ? 'is not trusted' : 'does not answer'}: ${words}`, { status: null, skewMs: null, cause });
} // prettier-ignore
function refusal(at: BucketAccess, call: Call, { status, headers, body }: Answer): BucketError {
  const code = texts(body, 'Code')[0] ?? (status === 404 && call.key !== undefined ? 'NoSuchKey' : `status ${status}`);
  const words = texts(body, 'Message')[0] ?? '';
  const there = Date.parse(String(headers.date ?? ''));
  return new BucketError(code, `${at.endpoint} refuses ${call.method} in bucket ${at.bucket}: ${code}${words === '' ? '' : ` (${words.slice(0, 300)})`}`, {
    status,
    skewMs: Number.isNaN(there) ? null : Date.now() - there,
  });
}
