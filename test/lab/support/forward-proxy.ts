import { createServer, type IncomingMessage, request as httpRequest, type Server, type ServerResponse } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type AddressInfo, connect, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { Authority } from '@strata/pki';

/** One request that somebody made of the proxy. `path` is null for a tunnel whose content it does not see. */
export interface Asked {
  from: string;
  how: 'plain' | 'tunnel' | 'intercepted';
  host: string;
  port: number;
  path: string | null;
}
export type Origin = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/**
 * A forward proxy as companies run them: plain requests and CONNECT. With `intercept` it ends the TLS of every tunnel itself, under certificates of
 * its own CA. Hosts in `origins` exist only behind it; they have certificates of the same CA in either mode.
 */
export class ForwardProxy {
  readonly log: Asked[] = [];
  intercept = false;
  readonly origins = new Map<string, Origin>();
  private readonly sockets = new Set<Duplex>();
  private readonly contexts = new Map<string, Promise<SecureContext>>();
  private readonly server: Server;
  private readonly inner: Server;

  private constructor(readonly authority: Authority) {
    this.server = createServer((request, response) => this.plain(request, response));
    this.server.on('connect', (request, socket: Socket, head) => void this.tunnel(request, socket, head).catch(() => socket.destroy()));
    this.inner = createServer((request, response) => this.inside(request, response));
    this.server.on('connection', (socket) => this.keep(socket));
  }
  static async listen(address: string): Promise<ForwardProxy> {
    const proxy = new ForwardProxy(await Authority.create('a company of the test'));
    await new Promise<void>((resolve, reject) => proxy.server.once('error', reject).listen(0, address, () => resolve()));
    return proxy;
  }
  get url(): string {
    const { address, port } = this.server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }
  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private keep(socket: Duplex): void {
    this.sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => this.sockets.delete(socket)); // whoever breaks off has its reasons
  }
  private note(socket: Socket, asked: Omit<Asked, 'from'>): void {
    this.log.push({ from: (socket.remoteAddress ?? '').replace('::ffff:', ''), ...asked });
  }

  private plain(request: IncomingMessage, response: ServerResponse): void {
    const url = URL.canParse(request.url ?? '') ? new URL(request.url ?? '') : null;
    if (url?.protocol !== 'http:') return void response.writeHead(400).end('not a request to a proxy\n');
    const port = Number(url.port || 80);
    this.note(request.socket, { how: 'plain', host: url.hostname, port, path: url.pathname });
    this.answer({ host: url.hostname, port, secure: false }, request, response);
  }

  private async tunnel(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const [, host = '', port = '443'] = /^([^:]+):(\d+)$/.exec(request.url ?? '') ?? [];
    const own = this.intercept || this.origins.has(host);
    this.note(socket, { how: 'tunnel', host, port: Number(port), path: null });
    if (!own) {
      const upstream = connect({ host, port: Number(port) });
      this.keep(upstream);
      upstream.once('error', () => socket.destroy()).once('close', () => socket.destroy());
      socket.once('close', () => upstream.destroy());
      await new Promise<void>((resolve) => upstream.once('connect', () => resolve()));
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
      return;
    }
    const secureContext = await this.contextOf(host);
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
    if (head.length > 0) socket.unshift(head);
    const tls = new TLSSocket(socket, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] });
    this.keep(tls);
    tunnels.set(tls, { host, port: Number(port), socket });
    this.inner.emit('connection', tls);
  }
  private inside(request: IncomingMessage, response: ServerResponse): void {
    const at = tunnels.get(request.socket as TLSSocket);
    if (!at) return void response.writeHead(500).end();
    this.note(at.socket, { how: 'intercepted', host: at.host, port: at.port, path: (request.url ?? '').split('?')[0] ?? '' });
    this.answer({ ...at, secure: true }, request, response);
  }

  private answer(at: { host: string; port: number; secure: boolean }, request: IncomingMessage, response: ServerResponse): void {
    const origin = this.origins.get(at.host);
    if (origin) return void Promise.resolve(origin(request, response)).catch(() => response.destroy());
    const url = URL.canParse(request.url ?? '') ? new URL(request.url ?? '') : null;
    forward(at, { request, response, path: url ? url.pathname + url.search : (request.url ?? '/') });
  }

  private contextOf(host: string): Promise<SecureContext> {
    const known = this.contexts.get(host);
    if (known) return known;
    const names = /^[\d.]+$/.test(host) ? { dns: [], ip: [host] } : { dns: [host], ip: [] };
    const made = this.authority.issueServer(names).then(({ certPem, keyPem }) => createSecureContext({ cert: certPem, key: keyPem }));
    this.contexts.set(host, made);
    return made;
  }
}
const tunnels = new WeakMap<TLSSocket, { host: string; port: number; socket: Socket }>();

/** Asks the real host and passes on what it says. */
function forward(at: { host: string; port: number; secure: boolean }, on: { request: IncomingMessage; response: ServerResponse; path: string }): void {
  const { request, response, path } = on;
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => !/^(proxy-|connection$)/.test(name)));
  const send = at.secure ? httpsRequest : httpRequest;
  const asked = send({ host: at.host, port: at.port, method: request.method, path, headers: { ...headers, host: at.host } }, (got) => {
    response.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(response);
  });
  asked.once('error', () => response.destroy());
  response.once('close', () => asked.destroy());
  request.pipe(asked);
}
/** An origin that has below `/NAME` what another address has; redirects of that are followed by whoever asks. */
export const mirrorOf =
  (places: Readonly<Record<string, string>>): Origin =>
  (request, response) => {
    const [, name = '', rest = ''] = /^\/([^/]+)(\/.*)$/.exec(request.url ?? '') ?? [];
    const to = places[name];
    if (to === undefined) return void response.writeHead(404).end();
    const url = new URL(to);
    forward({ host: url.hostname, port: Number(url.port || 80), secure: false }, { request, response, path: url.pathname.replace(/\/$/, '') + rest });
  };

/** A port on which nothing works: it keeps the first line that is said to it, and hangs up. */
export class DeadPort {
  readonly heard: string[] = [];
  private constructor(private readonly server: NetServer) {}
  static async listen(): Promise<DeadPort> {
    const server = createNetServer();
    const port = new DeadPort(server);
    server.on('connection', (socket) => {
      const hangUp = (line: string): void => {
        port.heard.push(`${socket.remoteAddress ?? ''} ${line}`);
        socket.destroy();
      };
      socket.on('error', () => undefined).setTimeout(2_000, () => hangUp('(said nothing)'));
      socket.once('data', (data: Buffer) => hangUp(data.toString('latin1').split('\r\n')[0] ?? ''));
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '0.0.0.0', () => resolve()));
    return port;
  }
  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }
  close(): Promise<void> {
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
