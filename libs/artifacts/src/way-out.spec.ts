import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { answers, downloadText } from './download';
import { listen } from './testing/file-server';
import { wayOut } from './way-out';

const asked: string[] = [];
let dir: string;
let certificate: string;
const open: Server[] = [];
const sockets: Duplex[] = [];
let secure: number; // port of an https server that only our CA vouches for
let proxy: string;

const port = async (server: Server): Promise<number> => {
  open.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
};
beforeAll(async () => {
  dir = mkdtempSync('/tmp/strata-way-');
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=company.test', '-addext', 'subjectAltName=DNS:company.test'];
  execFileSync('openssl', [...made, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  certificate = readFileSync(cert, 'utf8');
  secure = await port(createTlsServer({ key: readFileSync(key), cert: certificate }, (_, response) => response.end('over tls')));
  const forward = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end('by proxy');
  });
  forward.on('connect', (request, socket) => {
    sockets.push(socket);
    asked.push(`CONNECT ${request.url}`);
    const upstream = connect(secure, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    upstream.on('error', () => undefined).pipe(socket.on('error', () => undefined)).pipe(upstream);
  });
  proxy = `http://127.0.0.1:${await port(forward)}`;
}); // prettier-ignore
beforeEach(() => void asked.splice(0));
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of open) server.closeAllConnections();
  await Promise.all(open.map((server) => new Promise((done) => server.close(done))));
  rmSync(dir, { recursive: true });
});
const quiet = { progress: () => undefined };
const outside = (more: { noProxy?: string[]; certificates?: string[] } = {}) =>
  wayOut({ proxy: { http: proxy, https: proxy, noProxy: more.noProxy ?? [] }, certificates: more.certificates ?? [] });

test('asks the proxy of the spec, and past it what NO_PROXY names', async () => {
  const direct = await listen((_, response) => void response.end('direct'));
  expect(await downloadText('http://vendor.test/file', { ...quiet, way: outside() })).toBe('by proxy');
  expect(asked).toEqual(['GET http://vendor.test/file']);
  expect(await downloadText(`${direct.url}/file`, { ...quiet, way: outside({ noProxy: ['127.0.0.0/8'] }) })).toBe('direct');
  expect(asked).toHaveLength(1);
  await direct.close();
});
test('takes a tunnel for https, and believes the certificates of the spec beside the usual ones', async () => {
  const url = `https://company.test:${secure}/file`;
  await expect(downloadText(url, { ...quiet, way: outside() })).rejects.toThrow(/self.signed certificate.*through the proxy/s);
  const trusting = outside({ certificates: [certificate] }); // another way: that the first failed a moment ago says nothing about it
  expect(await downloadText(url, { ...quiet, way: trusting })).toBe('over tls');
  expect(await answers(url, { way: trusting })).toBe(true);
  expect(new Set(asked)).toEqual(new Set([`CONNECT company.test:${secure}`]));
});
test('a proxy that is not there is named', async () => {
  const gone = wayOut({ proxy: { http: 'http://127.0.0.1:1', https: 'http://127.0.0.1:1', noProxy: [] }, certificates: [] });
  await expect(downloadText('http://nowhere.test/', { ...quiet, way: gone })).rejects.toThrow(/nowhere\.test cannot be reached.*proxy http:\/\/127\.0\.0\.1:1/);
});
test("builders are told the spec's proxy in place of the environment's, and the certificates in a file that all may read", async () => {
  const own = { PATH: '/bin', https_proxy: 'http://other:1', ALL_PROXY: 'http://other:1' };
  const { env, aptOptions } = await outside({ noProxy: ['.svc'], certificates: [certificate] }).forPrograms(dir, own);
  expect(env).toMatchObject({ PATH: '/bin', https_proxy: proxy, HTTP_PROXY: proxy, NO_PROXY: '.svc' });
  expect(env['ALL_PROXY']).toBeUndefined();
  expect(readFileSync(env['SSL_CERT_FILE'] ?? '', 'utf8')).toContain(certificate.trim());
  expect(aptOptions).toEqual(['-o', `Acquire::https::CAInfo=${env['PIP_CERT']}`]);
  expect(await wayOut({ proxy: null, certificates: [] }).forPrograms(dir, own)).toEqual({ env: own, aptOptions: [] });
});
