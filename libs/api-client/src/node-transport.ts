import { createHash, X509Certificate } from 'node:crypto';
import { Agent as HttpAgent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { checkServerIdentity, connect, type DetailedPeerCertificate, type PeerCertificate } from 'node:tls';
import { serverSpiffeId, soleUri } from '@strata/model';
import { ConnectionError } from './api-error';
import type { ApiAnswer, ApiRequest, Transport } from './transport';

export interface ServerAddress {
  /** `https://host:port`; `http:` only for this machine itself. */
  url: string;
  /** PEM of the CA that signs the server's certificate. */
  caPem?: string;
  /** Or the pin of that CA: SHA-256 of its public key (SPKI DER), 64 hex digits. */
  caPin?: string;
}

/** The way to a control server over HTTPS. Only a certificate of the given CA counts; no CA that the machine trusts otherwise. */
export async function connectTo(server: ServerAddress): Promise<Transport> {
  const url = new URL(server.url);
  if (url.protocol === 'http:') {
    if (!['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname))
      throw untrusted(url, 'plain http goes only to this machine itself', 'write https:// before the address');
    return new NodeTransport(url, new HttpAgent({ keepAlive: true }));
  }
  const ca = server.caPem ?? (server.caPin === undefined ? undefined : await caOfPin(url, server.caPin));
  if (ca === undefined) throw untrusted(url, 'nothing says by which CA its server is known', 'give the CA file (STRATA_CA_FILE) or its pin');
  return new NodeTransport(url, new HttpsAgent({ keepAlive: true, ca, minVersion: 'TLSv1.2', checkServerIdentity: isServer }));
}

/** Our own CA names the server by its SPIFFE id, so its address may change; a certificate that names the address will do too. */
function isServer(host: string, certificate: PeerCertificate): Error | undefined {
  return soleUri(certificate.subjectaltname) === serverSpiffeId ? undefined : checkServerIdentity(host, certificate);
}

class NodeTransport implements Transport {
  constructor(
    private readonly url: URL,
    private readonly agent: HttpAgent | HttpsAgent,
  ) {}

  close(): void {
    this.agent.destroy();
  }

  send(asked: ApiRequest): Promise<ApiAnswer> {
    const { url } = this;
    const what = `${asked.method} ${url.origin}${asked.path}`;
    return new Promise((resolve, reject) => {
      const begin = url.protocol === 'http:' ? httpRequest : httpsRequest;
      const request = begin(new URL(asked.path, url), { method: asked.method, agent: this.agent, signal: asked.signal, headers: headersOf(asked) });
      const tooLong = (): void =>
        void request.destroy(
          new ConnectionError('timeout', `${what}: no word for ${asked.timeoutMs / 1000} s`, { remedy: 'look at the server (strata status), then try again' }),
        );
      let timer = setTimeout(tooLong, asked.timeoutMs);
      const fail = (error: unknown): void => {
        clearTimeout(timer);
        reject(connectionError(error, { what, url, signal: asked.signal }));
      };
      request.once('error', fail);
      request.once('response', (response) => {
        clearTimeout(timer);
        request.off('error', fail);
        request.on('error', () => undefined); // told through the body
        const pieces = async function* (): AsyncGenerator<Uint8Array> {
          const again = (): void => {
            clearTimeout(timer);
            timer = setTimeout(
              () => response.destroy(new ConnectionError('timeout', `${what}: its answer stopped for ${asked.timeoutMs / 1000} s`, { remedy: 'try again' })),
              asked.timeoutMs,
            );
          };
          again();
          try {
            for await (const piece of response as AsyncIterable<Buffer>) {
              again();
              yield piece;
            }
          } catch (error) {
            throw connectionError(error, { what, url, signal: asked.signal });
          } finally {
            clearTimeout(timer);
            if (!response.complete) response.destroy();
            if (!request.writableEnded) request.destroy(); // it said no ahead of our end
          }
        };
        resolve({ status: response.statusCode ?? 0, headers: flat(response), body: pieces() });
      });
      if (!asked.stream) return void request.end(asked.body);
      const sent = (): void => {
        if (request.destroyed) return;
        clearTimeout(timer);
        timer = setTimeout(tooLong, asked.timeoutMs);
      };
      feed(request, asked.stream.pieces, sent).catch((error: Error) => request.destroy(error));
    });
  }
}

/** Sends bytes as fast as they are taken, until an answer comes. */
async function feed(request: ClientRequest, pieces: AsyncIterable<Uint8Array>, sent: () => void): Promise<void> {
  let answered = false;
  let goOn = (): void => undefined;
  request.once('response', () => (answered = true));
  for (const event of ['drain', 'close', 'response']) request.on(event, () => goOn());
  for await (const piece of pieces) {
    if (answered || request.destroyed) return;
    if (!request.write(piece)) await new Promise<void>((resolve) => (goOn = resolve));
    if (!answered) sent();
  }
  if (!answered) request.end();
}

const headersOf = (asked: ApiRequest): Record<string, string> => ({
  ...(asked.body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(asked.body)) }),
  ...(asked.stream && { 'content-type': 'application/octet-stream', 'content-length': String(asked.stream.size) }),
  ...asked.headers,
});
const flat = (response: IncomingMessage): Record<string, string> =>
  Object.fromEntries(Object.entries(response.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]));

const reasons: Readonly<Record<string, ConnectionError['reason']>> = {
  ECONNREFUSED: 'refused',
  ENOTFOUND: 'unreachable',
  EAI_AGAIN: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ETIMEDOUT: 'timeout',
};
function connectionError(error: unknown, at: { what: string; url: URL; signal: AbortSignal | undefined }): ConnectionError {
  if (error instanceof ConnectionError) return error;
  const { code = '', message } = error as { code?: string; message: string };
  if (at.signal?.aborted) return new ConnectionError('aborted', `${at.what}: left`, { remedy: '', cause: error });
  if (/CERT|SELF_SIGNED|ISSUER|SSL|TLS/.test(code))
    return untrusted(at.url, message, 'is another server listening there, or was this one made anew? Take its CA again (secrets/ca.pem of the server)', error);
  const reason = reasons[code] ?? 'lost';
  const remedy =
    reason === 'refused'
      ? 'start the control server (strata up), or name another one (--context, STRATA_SERVER)'
      : 'check the address and the way there, then try again';
  return new ConnectionError(reason, `${at.what}: ${message || code}`, { remedy, cause: error });
}
// eslint-disable-next-line @typescript-eslint/max-params -- one error, spelled out
const untrusted = (url: URL, why: string, remedy: string, cause?: unknown): ConnectionError =>
  new ConnectionError('untrusted', `${url.origin} is not trusted: ${why}`, { remedy, cause });

const pinOf = (der: Buffer): string =>
  createHash('sha256').update(new X509Certificate(der).publicKey.export({ type: 'spki', format: 'der' })).digest('hex'); // prettier-ignore

/** Asks the server for its chain and takes from it the CA that has this pin. Nothing is sent to it. @throws ConnectionError */
function caOfPin(url: URL, pin: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // The chain is judged here, by the pin; the connections that carry anything are then verified against that CA.
    const socket = connect({ host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port || 443), rejectUnauthorized: false });
    socket.setTimeout(10_000, () =>
      socket.destroy(new ConnectionError('timeout', `${url.origin} did not answer within 10 s`, { remedy: 'check the address and the way there' })),
    );
    socket.once('error', (error) => reject(connectionError(error, { what: url.origin, url, signal: undefined })));
    socket.once('secureConnect', () => {
      let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
      for (let depth = 0; certificate?.raw && depth < 5; depth += 1) {
        const { raw, issuerCertificate }: DetailedPeerCertificate = certificate;
        if (pinOf(raw) === pin.toLowerCase()) {
          socket.end();
          resolve(new X509Certificate(raw).toString());
          return;
        }
        certificate = issuerCertificate === certificate ? undefined : issuerCertificate;
      }
      socket.destroy();
      reject(
        untrusted(
          url,
          `no certificate of its chain has the pin ${pin}`,
          'is another server listening there? Compare the pin with the one that `strata up` printed',
        ),
      );
    });
  });
}
