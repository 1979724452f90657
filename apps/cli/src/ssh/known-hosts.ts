import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expandHome } from '../context/paths';

/** Lines of the user's and the system's known_hosts. */
export function readKnownHosts(env: Readonly<Record<string, string | undefined>>): string[] {
  const files = [expandHome('~/.ssh/known_hosts', env), '/etc/ssh/ssh_known_hosts'];
  return files.flatMap((file) => {
    try {
      return readFileSync(file, 'utf8').split('\n');
    } catch {
      return []; // no such file: nothing is known
    }
  });
}

/** The lines that speak of one of these hosts (`host`, port). Hashed names are compared too. Nobody else's hosts are told to the server. */
export function linesFor(lines: readonly string[], hosts: readonly { host: string; port: number }[]): string[] {
  const names = hosts.flatMap(({ host, port }) => (port === 22 ? [host, `[${host}]:22`] : [`[${host}]:${port}`]));
  return lines.map((l) => l.trim()).filter((line) => {
    if (line === '' || line.startsWith('#')) return false;
    const fields = line.split(/\s+/);
    const patterns = (fields[0]?.startsWith('@') ? fields[1] : fields[0]) ?? '';
    return names.some((name) => speaksOf(patterns, name));
  }); // prettier-ignore
}

function speaksOf(patterns: string, name: string): boolean {
  if (patterns.startsWith('|1|')) {
    const [, , salt = '', hash = ''] = patterns.split('|');
    return createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64') === hash;
  }
  const all = patterns.split(',');
  if (all.some((p) => p.startsWith('!') && matches(p.slice(1), name))) return false;
  return all.some((p) => matches(p, name));
}
function matches(pattern: string, name: string): boolean {
  const expression = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.'); // prettier-ignore
  return new RegExp(`^${expression}$`, 'i').test(name);
}
