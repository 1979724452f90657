import type { Host } from '../ports/host';

/** Where secrets of a node lie: files and folders, some of them a tree. None of them is ever collected; their contents are what the scrub looks for. */
const places = [
  '/etc/kubernetes', '/var/lib/kubelet/pki', '/var/lib/strata/identity', '/etc/strata', '/etc/rancher', '/var/lib/rancher/k3s/server/cred', '/var/lib/rancher/k3s/server/tls',
  '/var/lib/rancher/k3s/server/token', '/var/lib/rancher/k3s/server/node-token', '/var/lib/rancher/k3s/server/agent-token', '/etc/containerd/certs.d', '/root/.docker/config.json',
]; // prettier-ignore
const keys = /\.(key|pem)$|_key$/;
const fields = /(?:client-key-data|token|secret|password|passphrase|auth|bootstrapToken)["']?\s*[:=]\s*["']?([^\s"',}]{8,})/gi;
const mostFiles = 400;
const mostBytes = 256 << 10;

/** Every secret value that lies on this node: keys line by line, fields of kubeconfigs and settings, tokens. For a Scrub; nothing of it goes anywhere else. */
export async function knownSecrets(host: Host): Promise<string[]> {
  const found: string[] = [];
  let left = mostFiles;
  const take = async (path: string): Promise<void> => {
    const stat = await host.files.stat(path);
    if (stat === null || left <= 0) return;
    if (stat.kind === 'directory') {
      for (const name of await host.files.list(path)) await take(`${path}/${name}`);
      return;
    }
    left -= 1;
    if (stat.size > mostBytes || (stat.mode & 0o004 && !/token|hosts\.toml$/.test(path))) return; // what everybody may read is no secret
    const text = (await host.files.read(path).catch(() => null)) ?? '';
    for (const [, value] of text.matchAll(fields)) if (value !== undefined) found.push(value, ...decoded(value));
    for (const [block] of text.matchAll(/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z0-9 ]*PRIVATE KEY-----/g)) found.push(block);
    if (!keys.test(path) && text.length < 300 && !text.includes(':') && text.trim() !== '') found.push(text.trim());
    if (/token$/.test(path) && text.trim() !== '') found.push(text.trim());
  };
  for (const place of places) await take(place);
  return [...new Set(found)];
}
/** What a base64 field holds: a key inside a kubeconfig is to be found as a key, too. */
function decoded(value: string): string[] {
  if (!/^[A-Za-z0-9+/]{16,}=*$/.test(value)) return [];
  try {
    return [atob(value)];
  } catch {
    return [];
  }
}
