import { z } from 'zod';

/**
 * The way from the cluster's machines to the outside: proxies, mirrors, and the certificates that they are trusted by. Only downloads take it
 * (docs/proxy.md). Nothing here is a secret: an address with a password in it is refused.
 */
const host = '[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?';
const withPassword = /^[a-z]+:\/\/[^/]*@/i;

export const ProxyUrl = z
  .string()
  .max(300)
  .refine((text) => !withPassword.test(text), {
    error:
      'must hold no user and password: they would stand in plans, files and logs. Let a forwarder that logs in to the proxy (cntlm, squid) listen on the control host, and name that',
    abort: true,
  })
  .regex(
    new RegExp(`^http://${host}(:\\d{1,5})?/?$`),
    'must look like http://proxy.example:3128 (the proxy itself is spoken to in plain HTTP, also for https)',
  );

/** `host`, `.suffix`, an address or a range, each as NO_PROXY has it; `host:port` also. */
export const NoProxyEntry = z
  .string()
  .max(253)
  .regex(
    /^\*?\.?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(\/\d{1,2}|:\d{1,5})?$/,
    'must be a host, a suffix such as .corp.example, an IPv4 address or a range such as 10.0.0.0/8',
  );

export const ProxySpec = z
  .strictObject({ http: ProxyUrl.optional(), https: ProxyUrl.optional(), noProxy: z.array(NoProxyEntry).default([]) })
  .refine((p) => p.http !== undefined || p.https !== undefined, { message: 'names no proxy: give `http`, `https` or both; one alone serves both' });

/** The address of a mirror, without user and password. */
export const MirrorUrl = z
  .string()
  .max(500)
  .refine((text) => !withPassword.test(text), { error: 'must hold no user and password: they would stand in plans, files and logs', abort: true })
  .regex(new RegExp(`^https?://${host}(:\\d{1,5})?(/[A-Za-z0-9._~%+-]+)*/?$`), 'must be an address such as https://mirror.example/debian');
/** A registry as image names begin with it: docker.io, registry.example:5000. */
export const RegistryHost = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/, 'must be the first part of image names, such as docker.io');

/** One certificate, as PEM text. Public: no key may be in it. */
export const CertificatePem = z
  .string()
  .max(20_000)
  .regex(/^-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=]+\n)+-----END CERTIFICATE-----\n?$/, 'must be one certificate as PEM text');

const block = /-----BEGIN CERTIFICATE-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END CERTIFICATE-----/g;
/** The certificates in a text, each as PEM of its own; comments and line ends of Windows are left out. */
export const certificatesIn = (text: string): string[] =>
  [...text.matchAll(block)].map((m) => {
    const lines = (m[1] ?? '').replace(/\s+/g, '').match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
  });

/** PEM text of one or more certificates, or `file:PATH`, which the CLI reads before it sends the spec. */
export const CaSource = z.union([
  z.string().regex(/^file:.+$/),
  z
    .string()
    .max(200_000)
    .refine((text) => !text.includes('PRIVATE KEY'), 'holds a private key: only certificates belong here')
    .refine((text) => certificatesIn(text).length > 0, 'must be PEM text (-----BEGIN CERTIFICATE-----…) or file:PATH'),
]);

/** The proxies of a spec as tasks are told them: each named, with all that is never asked through them; null without one. */
export const ProxyInput = z.strictObject({ http: ProxyUrl, https: ProxyUrl, noProxy: z.array(NoProxyEntry) }).nullable();

/** How something gets to the outside. */
export interface Outside {
  proxy: z.infer<typeof ProxyInput>;
  /** PEM, one certificate each: trusted beside those that the machine trusts anyway. */
  certificates: string[];
}
export const noOutside: Outside = { proxy: null, certificates: [] };

/** What never goes through a proxy, whatever the spec says. Suffixes as NO_PROXY has them. */
export const neverProxied = ['localhost', '127.0.0.0/8', '.svc', '.cluster.local', '.strata.internal'] as const;

/** Domain part of a cluster spec that this needs; so it is known before there is a plan. */
interface SpecPart {
  network: { proxy?: z.infer<typeof ProxySpec> | undefined; podCidr: string; serviceCidr: string; caCertificates: readonly string[] };
  nodes: readonly { name: string; address?: string | undefined; ssh?: { host?: string | undefined } | undefined }[];
}
/**
 * The spec's way out, with NO_PROXY computed: the cluster's own names, ranges, nodes and servers, then the spec's own.
 * @param more addresses of nodes that the spec gives by interface only, and names or addresses of the control server
 */
export function outsideOf(spec: SpecPart, more: readonly string[] = []): Outside {
  const { proxy, podCidr, serviceCidr, caCertificates } = spec.network;
  const certificates = [...new Set(caCertificates.flatMap(certificatesIn))];
  if (!proxy) return { proxy: null, certificates };
  const named = (text: string | undefined): text is string => text !== undefined && text.includes('.');
  const nodes = spec.nodes.flatMap((n) => [n.name, ...[n.address, n.ssh?.host].filter(named)]);
  const noProxy = [...new Set([...neverProxied, podCidr, serviceCidr, ...nodes, ...[...more].sort(), ...proxy.noProxy])];
  const plain = (url: string): string => url.replace(/\/$/, '');
  const [http, https] = [plain(proxy.http ?? proxy.https ?? ''), plain(proxy.https ?? proxy.http ?? '')];
  return { proxy: { http, https, noProxy }, certificates };
}

/** Host and port of the proxies that a spec names, each once. */
export function proxyPlaces(network: Pick<SpecPart['network'], 'proxy'>): { host: string; port: number }[] {
  const urls = [...new Set([network.proxy?.http, network.proxy?.https].filter((url) => url !== undefined).map((url) => url.replace(/\/$/, '')))];
  return urls.map((url) => {
    const [, name = '', port] = /^http:\/\/([^:/]+)(?::(\d+))?$/.exec(url) ?? [];
    return { host: name, port: Number(port ?? 80) };
  });
}

/** Whether a host is reached past the proxy, by the rules that curl and Go follow; ranges only match addresses. */
export function bypassesProxy(at: { host: string; port: string }, noProxy: readonly string[]): boolean {
  const name = at.host.toLowerCase();
  return noProxy.some((entry) => {
    const [, pattern = '', port] = /^([^:]*)(?::(\d+))?$/.exec(entry.toLowerCase()) ?? [];
    if (pattern === '' || (port !== undefined && port !== at.port)) return false;
    if (pattern.includes('/')) return inRange(name, pattern);
    const bare = pattern.replace(/^\*?\./, '');
    return name === bare || name.endsWith(`.${bare}`);
  });
}
const number = (address: string): number | null =>
  /^\d+\.\d+\.\d+\.\d+$/.test(address) ? address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) : null;
function inRange(address: string, range: string): boolean {
  const [base = '', bits = '32'] = range.split('/');
  const [a, b] = [number(address), number(base)];
  if (a === null || b === null) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(a / size) === Math.floor(b / size);
}

/** Variables by which programs are told a proxy: what the cluster's own programs must never see. kubeadm copies whatever ends in _proxy. */
export const proxyVariables = [
  ...['http_proxy', 'https_proxy', 'ftp_proxy', 'all_proxy', 'socks_proxy', 'rsync_proxy', 'no_proxy', 'grpc_proxy', 'no_grpc_proxy'].flatMap((name) => [name, name.toUpperCase()]),
  'NODE_USE_ENV_PROXY',
]; // prettier-ignore
/** A line of a unit's [Service]: whatever the machine sets for all units, this one is not told a proxy. */
export const unsetProxies = `UnsetEnvironment=${proxyVariables.join(' ')}`;
/** Variables that name this proxy, in both spellings; empty without one. */
export const proxyEnvironment = (proxy: Outside['proxy']): Record<string, string> =>
  proxy === null
    ? {}
    : Object.fromEntries(
        ([['HTTP_PROXY', proxy.http], ['HTTPS_PROXY', proxy.https], ['NO_PROXY', proxy.noProxy.join(',')]] as const).flatMap(([name, value]) => [[name, value], [name.toLowerCase(), value]]),
      ); // prettier-ignore
