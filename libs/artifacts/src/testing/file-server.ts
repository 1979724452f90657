import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A loopback HTTP server for specs; `url` has no trailing slash. */
export async function listen(listener: RequestListener): Promise<{ url: string; server: Server; close: () => Promise<void> }> {
  const server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, close };
}

/** Serves texts by path, with ETag and ranges; `asked` collects what was asked for, `cutAfter` breaks each answer after so many bytes, when they have had time to be read: what is only under way when a connection is reset is lost. */
export function files(content: Readonly<Record<string, Buffer>>, asked: string[], cutAfter = Infinity): RequestListener {
  return (request, response) => {
    const body = content[request.url ?? ''];
    asked.push(`${request.url}${request.headers.range ? ` ${request.headers.range}` : ''}`);
    if (!body) return void response.writeHead(404).end();
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, { etag: '"v1"', 'content-length': body.length - from });
    const part = body.subarray(from, Math.min(body.length, from + cutAfter));
    response.write(part, () => (from + part.length < body.length ? setTimeout(() => response.destroy(), 300) : response.end()));
  };
}
