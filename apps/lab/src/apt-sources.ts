import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { suite } from './plan/packages';
import type { NodeFile } from './plan/node-files';
import { tryRun } from './programs';

const readAll = (dir: string, keep: (name: string) => boolean): { path: string; text: string }[] =>
  existsSync(dir)
    ? readdirSync(dir)
        .filter(keep)
        .map((name) => ({ path: `${dir}/${name}`, text: readFileSync(`${dir}/${name}`, 'utf8') }))
    : [];

/** The machine's own source files, when it runs the release that nodes run; else none (debootstrap's default stays). */
function sourceFiles(): { path: string; text: string }[] {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!release.includes(`VERSION_CODENAME=${suite}`) || !/^ID=debian$/m.test(release)) return [];
  const main = existsSync('/etc/apt/sources.list') ? [{ path: '/etc/apt/sources.list', text: readFileSync('/etc/apt/sources.list', 'utf8') }] : [];
  return [...main, ...readAll('/etc/apt/sources.list.d', (n) => n.endsWith('.list') || n.endsWith('.sources'))];
}

/** The mirror that holds the release's main suite, out of the text of source files of either format; undefined when none names it. */
export function mirrorIn(sources: readonly { path: string; text: string }[]): string | undefined {
  for (const { path, text } of sources) {
    if (path.endsWith('.sources')) {
      for (const block of text.split(/\n\s*\n/)) {
        const field = (name: string): string[] => (new RegExp(`^${name}:(.*)$`, 'mi').exec(block)?.[1] ?? '').trim().split(/\s+/);
        if (field('Suites').includes(suite) && field('Types').includes('deb') && field('URIs')[0]) return field('URIs')[0];
      }
    } else {
      const line = new RegExp(`^deb\\s+(?:\\[[^\\]]*\\]\\s+)?(\\S+)\\s+${suite}\\s`, 'm').exec(text);
      if (line?.[1]) return line[1];
    }
  }
  return undefined;
}

/** The mirror that debootstrap is to use, or undefined for its own default. */
export const hostMirror = (): string | undefined => mirrorIn(sourceFiles());

/** Lines of `apt-config dump` (`key "value";`) that say how packages are fetched: proxies, certificates, validity checks. */
export const fetchSettings = (dump: string): string[] =>
  dump.split('\n').filter((line) => /^Acquire::/.test(line) && !/^Acquire::(IndexTargets|Changelogs|CompressionTypes|cdrom)\b/.test(line));

/**
 * Files with which apt in a node reaches Debian packages as this machine does: sources, keys, fetch settings, credentials and certificates that those name.
 * They are written into nodes and never printed.
 */
export async function aptFiles(): Promise<NodeFile[]> {
  const sources = sourceFiles();
  const dump = (await tryRun('apt-config', ['dump', '--no-empty', 'Acquire'])).stdout;
  const settings = fetchSettings(dump);
  for (const scheme of ['http', 'https']) {
    const proxy = process.env[`${scheme}_proxy`] ?? process.env[`${scheme.toUpperCase()}_PROXY`];
    if (proxy && !settings.some((line) => line.toLowerCase().startsWith(`acquire::${scheme}::proxy `))) settings.push(`Acquire::${scheme}::Proxy "${proxy}";`);
  }
  const named = [...sources.map((s) => s.text), settings.join('\n')].flatMap((text) =>
    [...text.matchAll(/(?:Signed-By:\s*|signed-by=|CA[Ii]nfo "|SslCert "|SslKey ")(\/[^\s"\];]+)/g)].map((m) => m[1] ?? ''),
  );
  const files: NodeFile[] = [
    ...sources,
    { path: '/etc/apt/apt.conf.d/90lab', text: settings.map((line) => `${line}\n`).join('') },
    ...readAll('/etc/apt/auth.conf.d', (n) => n.endsWith('.conf')).map((f) => ({ ...f, mode: 0o600 })),
  ];
  for (const path of new Set(named)) {
    // the release's own keyring is in the base
    if (existsSync(path) && !path.startsWith('/usr/share/keyrings/debian-archive')) files.push({ path, copyOf: path });
  }
  if (sources.length && !sources.some((s) => s.path === '/etc/apt/sources.list')) files.push({ path: '/etc/apt/sources.list', text: '' }); // debootstrap wrote one too
  return files;
}
