import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverSpiffeId } from '@strata/model';

export interface TlsServer {
  url: string;
  caPem: string;
  caPin: string;
  server: Server;
  close(): Promise<void>;
}

/** An HTTPS server on loopback whose certificate a CA of its own signs, made by openssl. `names`: what the certificate names beside our SPIFFE id. */
export async function tlsServer(answer: (request: IncomingMessage, response: ServerResponse) => void, names = `URI:${serverSpiffeId}`): Promise<TlsServer> {
  const dir = mkdtempSync(join(tmpdir(), 'strata-tls-'));
  const openssl = (...args: string[]): string => execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    openssl(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=ca',
      '-days',
      '2',
    );
    openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/CN=strata-server');
    writeFileSync(join(dir, 'leaf.ext'), `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`);
    openssl(
      'x509',
      '-req',
      '-in',
      'leaf.csr',
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-days',
      '1',
      '-extfile',
      'leaf.ext',
      '-out',
      'leaf.pem',
    );
    const pin = execFileSync('sh', ['-c', 'openssl x509 -in ca.pem -pubkey -noout | openssl pkey -pubin -outform der | sha256sum'], {
      cwd: dir,
      encoding: 'utf8',
    }).slice(0, 64);
    const caPem = readFileSync(join(dir, 'ca.pem'), 'utf8');
    const server = createServer({ key: readFileSync(join(dir, 'leaf.key')), cert: readFileSync(join(dir, 'leaf.pem'), 'utf8') + caPem }, answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, caPem, caPin: pin, server, close };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
