import { CallCredentials, ChannelCredentials, type experimental } from '@grpc/grpc-js';
import type { Socket } from 'node:net';
import { connect, createSecureContext, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { serverName } from './protocol';

/** The certificate that a node shows, and the CA that it believes. PEM. */
export interface NodeTls {
  caPem: string;
  certPem: string;
  keyPem: string;
}
const handshakeMs = 10_000;

/** TLS to the control server under its fixed name. grpc-js's own credentials know no deadline for the handshake, leak the socket of a silent server, and lose the error: these do not. */
export class TlsCredentials extends ChannelCredentials {
  /** Why the last handshake failed: grpc-js itself keeps at most its text. */
  failure: Error | undefined;

  /** `accept` judges the peer after the handshake and throws to refuse it; nothing was written by then. */
  constructor(
    private readonly tls: ConnectionOptions,
    private readonly accept: (socket: TLSSocket) => void = () => undefined,
  ) {
    super();
  }

  /** What a node with an identity uses: the server's whole chain is verified, dates too. */
  static ofNode({ caPem, certPem, keyPem }: NodeTls): TlsCredentials {
    return new TlsCredentials({ secureContext: createSecureContext({ ca: caPem, cert: certPem, key: keyPem, minVersion: 'TLSv1.2' }) });
  }

  override _isSecure(): boolean {
    return true;
  }
  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }
  override _createSecureConnector(): experimental.SecureConnector {
    const open = new Set<TLSSocket>();
    return {
      connect: async (socket) => ({ socket: await this.handshake(socket, open), secure: true }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => open.forEach((socket) => socket.destroy()),
    };
  }

  private handshake(socket: Socket, open: Set<TLSSocket>): Promise<TLSSocket> {
    return new Promise((done, failed) => {
      const tls = connect({ ...this.tls, socket, servername: serverName, ALPNProtocols: ['h2'] });
      open.add(tls);
      const timer = setTimeout(() => tls.destroy(new Error(`the TLS handshake took longer than ${handshakeMs / 1000} s`)), handshakeMs);
      const settled = (): void => {
        open.delete(tls);
        clearTimeout(timer);
      };
      tls.on('error', (error: Error) => {
        settled();
        this.failure = error;
        failed(error);
      });
      tls.once('close', () => {
        settled();
        failed(new Error('the connection was closed during the TLS handshake'));
      });
      tls.once('secureConnect', () => {
        settled();
        try {
          this.accept(tls);
          this.failure = undefined;
          done(tls);
        } catch (error) {
          tls.destroy(error as Error);
        }
      });
    });
  }
}
