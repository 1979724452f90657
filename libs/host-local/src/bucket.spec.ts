import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BucketError, type BucketAccess } from '@strata/tasks';
import { localBucket } from './bucket';

let dir: string;
let server: Server;
let at: BucketAccess;
let answer: (request: IncomingMessage, body: string) => { status: number; body?: string; headers?: Record<string, string> };
const asked: string[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'strata-bucket-'));
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=store', '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' }); // prettier-ignore
  server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    request.on('data', (c: Buffer) => chunks.push(c));
    request.on('end', () => {
      asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
      const { status, body = '', headers = {} } = answer(request, Buffer.concat(chunks).toString());
      response.writeHead(status, headers).end(body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  at = { endpoint, region: 'eu-central-1', bucket: 'ours', caPem: readFileSync(cert, 'utf8'), access: 'AKEY', secret: 'the-secret' };
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(dir, { recursive: true });
});
beforeEach(() => asked.splice(0));
const failed = (call: Promise<unknown>): Promise<BucketError> => call.then(() => Promise.reject(new Error('it did not fail')), (e: BucketError) => e); // prettier-ignore

test('every request is signed for the region, and says the digest of what it brings', async () => {
  let seen: IncomingMessage['headers'] = {};
  answer = (request) => ((seen = request.headers), { status: 200, headers: { 'x-amz-version-id': 'null' } });
  expect(await localBucket(at).put('a b/c+ü', 'text')).toEqual({ version: null });
  expect(asked).toEqual(['PUT /ours/a%20b/c%2B%C3%BC']);
  expect(seen.authorization).toMatch(/^AWS4-HMAC-SHA256 Credential=AKEY\/\d{8}\/eu-central-1\/s3\/aws4_request, SignedHeaders=[^,]*x-amz-content-sha256[^,]*, Signature=[0-9a-f]{64}$/);
  expect(seen['x-amz-content-sha256']).toBe('982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1');
  expect(JSON.stringify(seen)).not.toContain('the-secret');
}); // prettier-ignore
test('a refusal comes through whole, before the content is sent', async () => {
  let brought = 0;
  const refuse = (request: IncomingMessage, response: ServerResponse): void => {
    request.on('data', (c: Buffer) => (brought += c.length));
    response.writeHead(403, { connection: 'close' }).end('<Error><Code>AccessDenied</Code></Error>');
  };
  server.once('checkContinue', refuse);
  expect((await failed(localBucket(at).put('k', 'x'.repeat(4 << 20)))).s3).toBe('AccessDenied');
  expect(brought).toBe(0);
});
test('a version that the store made is told', async () => {
  answer = () => ({ status: 200, headers: { 'x-amz-version-id': 'v1' } });
  expect(await localBucket(at).put('k', '')).toEqual({ version: 'v1' });
});
test('a list is read with its odd names and its next part', async () => {
  answer = () => ({
    status: 200,
    body: '<ListBucketResult><EncodingType>url</EncodingType><Prefix>p%2F</Prefix><IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b</NextContinuationToken><Contents><Key>p%2Fa%26b+c</Key></Contents><CommonPrefixes><Prefix>p%2Fd%2F</Prefix></CommonPrefixes></ListBucketResult>',
  });
  expect(await localBucket(at).list({ prefix: 'p/', delimiter: '/', from: 'x' })).toEqual({ keys: ['p/a&b c'], folders: ['p/d/'], next: 'a&b' });
  expect(asked[0]).toContain('prefix=p%2F&delimiter=%2F&continuation-token=x');
});
test('absent objects are null to read and fine to delete', async () => {
  answer = () => ({ status: 404, body: '<Error><Code>NoSuchKey</Code></Error>' });
  expect(await localBucket(at).get('k')).toBeNull();
  await localBucket(at).remove(['k', 'l']);
  expect(asked).toHaveLength(3);
});
test('a setting is null where the store does not tell it', async () => {
  answer = () => ({ status: 200, body: '<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>' });
  expect(await localBucket(at).setting('versioning')).toBe('Enabled');
  answer = () => ({ status: 403, body: '<Error><Code>AccessDenied</Code></Error>' });
  expect(await localBucket(at).setting('object-lock')).toBeNull();
});
test('a refusal has the word of the store, and how far the clocks are apart', async () => {
  answer = () => ({
    status: 403,
    body: '<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large.</Message></Error>',
    headers: { date: new Date(Date.now() + 3_600_000).toUTCString() },
  });
  const error = await failed(localBucket(at).list({}));
  expect([error.s3, error.retry]).toEqual(['RequestTimeTooSkewed', false]);
  expect(Math.round((error.about.skewMs ?? 0) / 60_000)).toBe(-60);
  expect(error.message).not.toContain('the-secret');
});
test('nobody there, and somebody whom nobody trusts', async () => {
  answer = () => ({ status: 200 });
  expect((await failed(localBucket({ ...at, caPem: undefined }).list({}))).s3).toBe('tls');
  expect((await failed(localBucket({ ...at, endpoint: 'https://127.0.0.1:1' }).list({}))).s3).toBe('unreachable');
  expect(asked).toEqual([]);
});
