import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import { join } from 'node:path';

const form = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
const shifted = (stamp: string, ms: number): string =>
  new Date(Date.parse(stamp.replace(form, '$1-$2-$3T$4:$5:$6Z')) + ms).toISOString().replace(/[-:]|\.\d{3}/g, '');

/**
 * The way to a store whose clock is ahead: to it each request's time looks as much older, and its answers tell that clock. No clock is set: all machines of
 * a lab share one. What the store says of such a request is its own word.
 * @param dir holds the store's certificate and authority
 */
export async function otherClock(store: { endpoint: string; dir: string }, { port, aheadMs }: { port: number; aheadMs: number }): Promise<{ endpoint: string; close: () => void }> {
  const [key, cert, ca] = ['certs/private.key', 'certs/public.crt', 'ca.pem'].map((name) => readFileSync(join(store.dir, name)));
  const there = new URL(store.endpoint);
  const server = createServer({ key, cert }, (asked, answer) => {
    const headers = { ...asked.headers };
    const stamp = headers['x-amz-date'];
    if (typeof stamp === 'string') headers['x-amz-date'] = shifted(stamp, -aheadMs);
    const on = request({ host: there.hostname, port: there.port, path: asked.url, method: asked.method, headers, ca, agent: false }, (said) => {
      answer.writeHead(said.statusCode ?? 502, { ...said.headers, date: new Date(Date.now() + aheadMs).toUTCString() });
      said.pipe(answer);
    });
    on.once('error', (error) => answer.destroy(error));
    asked.pipe(on);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, there.hostname, resolve);
  });
  return {
    endpoint: `https://${there.hostname}:${port}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
} // prettier-ignore
