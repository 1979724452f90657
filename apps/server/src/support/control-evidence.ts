import { existsSync } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { localSource } from '@strata/host-local';
import { type Evidence, evidenceLimits, newestPart } from '@strata/model';
import { gatherFacts } from '@strata/tasks';
import { lookAtControlHost } from '../doctor/control-host';
import { serverVersion } from '../serve/version';

const logs = ['supervisor', 'server', 'postgres', 'redis'];
/** Programs that only show; `ps` without arguments. */
const shown: readonly [string, readonly string[]][] = [
  ['machine/uname.txt', ['uname', '-a']],
  ['machine/uptime.txt', ['uptime']],
  ['machine/disks.txt', ['df', '-h', '-T']],
  ['machine/inodes.txt', ['df', '-i']],
  ['machine/memory.txt', ['free', '-m']],
  ['machine/processes.txt', ['ps', '-eo', 'pid,ppid,user,stat,rss,etime,comm']],
  ['machine/addresses.txt', ['ip', 'address']],
  ['machine/routes.txt', ['ip', 'route']],
  ['machine/listeners.txt', ['ss', '-tlnp']],
];

/** What the control host gives from its files and processes alone, by an allow-list: it works while the server does not. Not scrubbed yet. */
export async function controlEvidence(home: string): Promise<Evidence[]> {
  const file = (path: string, name: string): Promise<Evidence> => attempt(path, () => tailOf(join(home, name)));
  return Promise.all([
    attempt('doctor.json', async () => ({ text: JSON.stringify(await lookAtControlHost(home), null, 1), cut: false })),
    attempt('versions.txt', () => Promise.resolve({ text: `server ${serverVersion}\nnode ${process.version}\n`, cut: false })),
    attempt('facts.json', async () => ({ text: JSON.stringify(await gatherFacts(localSource), null, 1), cut: false })),
    file('status.json', 'run/status.json'),
    file('ports.json', 'run/ports.json'),
    ...(existsSync(join(home, 'server.yaml')) ? [file('server.yaml', 'server.yaml')] : []),
    ...logs.flatMap((name) => [file(`logs/${name}.log`, `logs/${name}.log`), ...(existsSync(join(home, `logs/${name}.log.1`)) ? [file(`logs/${name}.log.1`, `logs/${name}.log.1`)] : [])]),
    attempt('files.txt', async () => ({ text: await listing(home), cut: false })),
    ...shown.map(([path, argv]) => attempt(path, async () => newestPart((await localSource.run(argv))?.stdout ?? ''))),
  ]);
} // prettier-ignore

/** Every secret of this home, for the scrub. Keys that are bytes come as one character a byte. */
export async function controlSecrets(home: string): Promise<string[]> {
  const dir = join(home, 'secrets');
  const names = (await readdir(dir).catch(() => [] as string[])).filter((n) => n !== 'ca.pem');
  const files = await Promise.all(names.map((name) => readFile(join(dir, name)).catch(() => Buffer.alloc(0))));
  const settings = await readFile(join(home, 'server.yaml'), 'utf8').catch(() => '');
  const passwords = [...settings.matchAll(/:\/\/[^\s:/@]*:([^\s/@"']+)@/g)].map((m) => decodeURIComponent(m[1] ?? ''));
  return [...files.map((f) => (isText(f) ? f.toString('utf8') : f.toString('latin1'))), ...passwords].filter((s) => s !== '');
}
const isText = (bytes: Buffer): boolean => bytes.every((b) => b === 9 || b === 10 || b === 13 || (b >= 32 && b < 127));

async function tailOf(path: string): Promise<{ text: string; cut: boolean }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const from = Math.max(0, size - 2 * evidenceLimits.file);
    const bytes = Buffer.alloc(size - from);
    await file.read(bytes, 0, bytes.length, from);
    const part = newestPart(bytes.toString('utf8'));
    return { text: part.text, cut: part.cut || from > 0 };
  } finally {
    await file.close();
  }
}
/** Names, modes, owners and sizes of the home: no contents. */
async function listing(home: string): Promise<string> {
  const lines: string[] = [];
  const walk = async (dir: string, depth: number): Promise<void> => {
    for (const entry of (await readdir(dir, { withFileTypes: true }).catch(() => [])).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(dir, entry.name);
      const s = await stat(path).catch(() => null);
      if (lines.length < 2_000) lines.push(`${((s?.mode ?? 0) & 0o7777).toString(8).padStart(4, '0')} ${s?.uid ?? '?'} ${s?.size ?? '?'} ${path}`);
      if (entry.isDirectory() && depth > 0 && !/\/(data|blobs|compiled)$/.test(path)) await walk(path, depth - 1);
    }
  };
  await walk(home, 3);
  return lines.join('\n');
}
export async function attempt(path: string, look: () => Promise<{ text: string; cut: boolean }>): Promise<Evidence> {
  try {
    const { text, cut } = await look();
    return { path, text, ...(cut ? { cut } : {}) };
  } catch (error) {
    return { path, missing: error instanceof Error ? error.message : String(error) };
  }
}
