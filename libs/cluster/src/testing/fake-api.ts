import { webcrypto } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { cryptoProvider, X509CertificateGenerator, SubjectAlternativeNameExtension } from '@peculiar/x509';

interface Asked {
  method: string;
  path: string;
  type: string;
  accept: string;
  body: string;
}
/** An API server that answers from a table and remembers what it was asked. Its certificate names api.home.strata.internal and no address. */
export class FakeApi {
  readonly asked: Asked[] = [];
  readonly answers = new Map<string, { status: number; body: unknown } | 'never'>();
  /** Watches that are open; what is put into one with `tell` is heard there. */
  readonly watches = new Set<ServerResponse>();
  private server!: Server;
  /** How many connections were made to it. */
  connections = 0;
  kubeconfig = '';

  async start(): Promise<void> {
    cryptoProvider.set(webcrypto as never);
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
    const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const extensions = [new SubjectAlternativeNameExtension([{ type: 'dns', value: 'api.home.strata.internal' }])];
    const cert = (await X509CertificateGenerator.createSelfSigned({ name: 'CN=test', keys, signingAlgorithm: algorithm, extensions })).toString('pem');
    const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    this.server = createServer({ cert, key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` }, (request, response) => {
      let body = '';
      request.on('data', (part: Buffer) => (body += part.toString()));
      request.on('end', () => {
        const path = (request.url ?? '').split('?')[0] ?? '';
        this.asked.push({
          method: request.method ?? '',
          path: request.url ?? '',
          type: request.headers['content-type'] ?? '',
          accept: request.headers.accept ?? '',
          body,
        });
        if (new URL(request.url ?? '', 'https://x').searchParams.get('watch') === 'true') return this.watch(response);
        const answer = this.answers.get(`${request.method} ${path}`) ?? { status: 404, body: { kind: 'Status', message: `${path} not found`, code: 404 } };
        if (answer === 'never') return;
        response.writeHead(answer.status, { 'content-type': 'application/json' });
        response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
      });
    });
    this.server.on('secureConnection', () => (this.connections += 1));
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.kubeconfig = this.configFor(cert, 'api.home.strata.internal');
    for (const [path, resources] of Object.entries({ '/api/v1': [['secrets', 'Secret', true], ['nodes', 'Node', false], ['configmaps', 'ConfigMap', true]], '/apis/apps/v1': [['deployments', 'Deployment', true]] }))
      this.answers.set(`GET ${path}`, { status: 200, body: { kind: 'APIResourceList', groupVersion: path.replace(/^\/apis?\//, ''), resources: resources.map(([name, kind, namespaced]) => ({ name, kind, namespaced, singularName: '', verbs: [] })) } }); // prettier-ignore
  }
  configFor(cert: string, name: string): string {
    const server = `https://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
    return JSON.stringify({
      apiVersion: 'v1', kind: 'Config', 'current-context': 'c', contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }], users: [{ name: 'u', user: { token: 't' } }],
      clusters: [{ name: 'c', cluster: { server, 'tls-server-name': name, 'certificate-authority-data': Buffer.from(cert).toString('base64') } }],
    }); // prettier-ignore
  }
  private watch(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.flushHeaders();
    this.watches.add(response);
    response.once('close', () => this.watches.delete(response));
  }
  /** Says this on every open watch. */
  tell(type: string, object: unknown): void {
    for (const watch of this.watches) watch.write(`${JSON.stringify({ type, object })}\n`);
  }
  /** Every connection breaks, as when the process dies. */
  cut(): void {
    this.server.closeAllConnections();
  }
  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
