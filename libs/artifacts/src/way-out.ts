import { createHash } from 'node:crypto';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { dirname, join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { bypassesProxy, noOutside, type Outside, proxyEnvironment, proxyVariables } from '@strata/model';

/** One way to the outside: which proxy, and which certificates are trusted beside those that this machine trusts. */
export interface WayOut {
  /** The same for ways that are the same: a host that could not be reached by one may be by another. */
  id: string;
  /** The proxy that an address is asked through; null: none, or the environment decides. */
  over(url: URL): string | null;
  agent(url: URL): HttpAgent;
  /** The same for programs that fetch by themselves: go, pip, apt. The certificates go into a file below `dir`. */
  forPrograms(dir: string, env: NodeJS.ProcessEnv): Promise<{ env: NodeJS.ProcessEnv; aptOptions: string[] }>;
}

/**
 * The way that a cluster spec names. With a proxy of the spec the environment's variables count for nothing; without one they do, as with any
 * other program of this host.
 */
export function wayOut(outside: Outside): WayOut {
  const { proxy, certificates } = outside;
  const trust = certificates.length === 0 ? {} : { ca: [...new Set([...getCACertificates('default'), ...certificates])] };
  const over = (url: URL): string | null => {
    if (proxy === null) return null;
    const https = url.protocol === 'https:';
    return bypassesProxy({ host: url.hostname, port: url.port || (https ? '443' : '80') }, proxy.noProxy) ? null : https ? proxy.https : proxy.http;
  };
  return {
    id: createHash('sha256').update(JSON.stringify(outside)).digest('hex'),
    over,
    agent: (url) => {
      const by = over(url);
      const proxyEnv = proxy === null ? process.env : by === null ? {} : { HTTP_PROXY: by, HTTPS_PROXY: by };
      return url.protocol === 'https:' ? new HttpsAgent({ keepAlive: false, proxyEnv, ...trust }) : new HttpAgent({ keepAlive: false, proxyEnv });
    },
    forPrograms: async (dir, env) => {
      const rest = proxy === null ? env : Object.fromEntries(Object.entries(env).filter(([name]) => !proxyVariables.includes(name)));
      const told = { ...rest, ...proxyEnvironment(proxy) };
      if (certificates.length === 0) return { env: told, aptOptions: [] };
      const file = await bundle(dir, certificates);
      // Go, pip and what is built on them, curl: each has a variable of its own
      const trusting = Object.fromEntries(['SSL_CERT_FILE', 'PIP_CERT', 'REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'].map((name) => [name, file]));
      return { env: { ...told, ...trusting }, aptOptions: ['-o', `Acquire::https::CAInfo=${file}`] };
    },
  };
}
export const environmentsWay: WayOut = wayOut(noOutside);

/** What this machine trusts and `certificates`, as one file that everybody may read: apt does it as another user. */
async function bundle(dir: string, certificates: readonly string[]): Promise<string> {
  const all = [...new Set([...getCACertificates('system'), ...getCACertificates('default'), ...certificates])];
  const text = all.map((pem) => (pem.endsWith('\n') ? pem : `${pem}\n`)).join('');
  const file = join(dir, 'trust', `${createHash('sha256').update(text).digest('hex').slice(0, 16)}.pem`);
  if ((await stat(file).catch(() => null)) !== null) return file;
  await mkdir(dirname(file), { recursive: true, mode: 0o755 });
  const scratch = `${file}.${process.pid}`;
  await writeFile(scratch, text, { mode: 0o644 });
  await rename(scratch, file);
  return file;
}
