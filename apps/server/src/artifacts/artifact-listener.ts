import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { Injectable } from '@nestjs/common';
import { serveBlobs } from '@strata/artifacts';
import { identityOf, type ServerCertificate } from '@strata/pki';
import { AgentFiles } from '../bootstrap/agent-file';
import { Edges } from '../serve/edges';
import { ObtainArtifacts } from './obtain-artifacts';

/** HTTPS for nodes: blobs for enrolled nodes by their certificate; without one only the agent's own file, which the join line pins by its sha256. */
@Injectable()
export class ArtifactListener {
  constructor(
    private readonly edges: Edges,
    private readonly artifacts: ObtainArtifacts,
    private readonly files: AgentFiles,
  ) {}

  /** Opens the listener and answers its port. */
  async listen(tls: ServerCertificate): Promise<Server> {
    const { host, port } = this.edges.settings.listen.artifacts;
    const ca = this.edges.keys.authority.certPem;
    const blobs = serveBlobs({
      store: this.artifacts.store,
      authorize: (request) => this.isNode(request),
      onBroken: (sha256, error) => this.edges.log.debug({ sha256, err: error }, 'a transfer broke off'),
    });
    const server = createServer(
      { key: tls.keyPem, cert: tls.certPem, ca, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.3' },
      (request, response) => {
        const agent = /^\/v1\/agent\/([0-9a-f]{64})$/.exec(request.url ?? '')?.[1];
        const work = agent === undefined ? blobs(request, response) : this.agent(agent, request, response);
        work.catch((error: unknown) => {
          this.edges.log.error({ err: error }, 'a request for an artifact failed inside');
          response.destroy();
        });
      },
    );
    server.keepAliveTimeout = 30_000;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new Error(`could not listen on ${host}:${port} for artifacts: ${cause.message}; see what else uses the port`, { cause })),
      );
      server.listen(port, host, () => resolve());
    });
    return server;
  }

  private async isNode(request: IncomingMessage): Promise<boolean> {
    const socket = request.socket as TLSSocket;
    if (!socket.authorized) return false;
    const raw = socket.getPeerCertificate().raw as Buffer | undefined;
    if (!raw) return false;
    try {
      const { nodeId, clusterId } = identityOf(raw);
      const node = await this.edges.store.nodes.find(nodeId);
      return node?.state === 'enrolled' && node.clusterId === clusterId;
    } catch {
      return false; // our CA signed it, but it names no node: a server's own certificate
    }
  }

  private async agent(sha256: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const file = await this.files.get();
    if (file.sha256 !== sha256 || (request.method !== 'GET' && request.method !== 'HEAD')) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('no such agent: ask for a fresh join command\n');
      return;
    }
    const packed = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? '')); // a third of the way, on a line that may be slow
    const path = packed ? file.packed : file.path;
    const length = packed ? (await stat(path)).size : file.size;
    const coding = packed ? { 'content-encoding': 'gzip' } : {};
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': length, vary: 'accept-encoding', etag: `"${sha256}${packed ? '-gz' : ''}"`, ...coding }); // prettier-ignore
    if (request.method === 'HEAD') return void response.end();
    createReadStream(path, { highWaterMark: 1 << 20 }).on('error', () => response.destroy()).pipe(response); // prettier-ignore
  }
}
