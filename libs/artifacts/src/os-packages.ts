import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArchiveArtifact, osPackagesName } from '@strata/model';
import { reasonOf } from './failure';
import { folderTar } from './layer-tar';
import { runProgram } from './programs';
import type { OnProgress } from './progress';
import { type ArtifactStore, hashFile } from './store';
import type { WayOut } from './way-out';

export interface PackOptions {
  progress: OnProgress;
  now: number; // ms
  signal?: AbortSignal;
  way?: WayOut;
}
const deadlineMs = 30 * 60_000;

/**
 * Packages of this machine's own release with all that they need, down to the C library, as one archive: a flat repository. apt works them out as for a machine
 * that has nothing, from its own sources and with their keys; nothing of this machine is changed, nothing is installed.
 */
export async function packOsPackages(store: ArtifactStore, names: readonly string[], options: PackOptions): Promise<ArchiveArtifact> {
  const os = await release();
  const say = (note: string): void => options.progress({ bytes: 0, total: 0, note });
  const way = await options.way?.forPrograms(store.dir, process.env);
  return store.inWorkDir(async (dir) => {
    const [state, cache, out] = ['state', 'cache', 'packages'].map((name) => join(dir, name)) as [string, string, string];
    for (const folder of [join(state, 'lists/partial'), join(cache, 'archives/partial'), out]) await mkdir(folder, { recursive: true });
    await writeFile(join(state, 'status'), '');
    const own = ['-q', '-o', `Dir::State=${state}`, '-o', `Dir::State::status=${join(state, 'status')}`, '-o', `Dir::Cache=${cache}`, '-o', 'Debug::NoLocking=true', '-o', 'Acquire::Retries=3', ...(way?.aptOptions ?? [])]; // prettier-ignore
    const apt = async (what: string, ...argv: string[]): Promise<void> => {
      say(what);
      const env = { ...(way?.env ?? process.env), LC_ALL: 'C' };
      await runProgram(['apt-get', ...own, ...argv], { env, deadlineMs, ...(options.signal && { signal: options.signal }) }).catch((cause: unknown) => {
        throw new Error(`the packages ${names.join(', ')} and what they need could not be had from apt: ${reasonOf(cause)}`, { cause });
      });
    };
    await apt('reading the lists of packages', 'update');
    await apt(`fetching packages for ${os.id} ${os.version}`, 'install', '-y', '--download-only', '--no-install-recommends', '--', ...names);
    const list: string[] = [];
    for (const file of (await readdir(join(cache, 'archives'))).filter((f) => f.endsWith('.deb')).sort())
      list.push(await take(join(cache, 'archives', file), out));
    await writeFile(join(out, 'Packages'), list.join('\n'));
    say(`packing ${list.length} packages`);
    const blob = await store.putStream(folderTar(out));
    const at = new Date(options.now);
    const version = `${at.getUTCFullYear()}.${at.getUTCMonth() + 1}.${at.getUTCDate()}-${blob.sha256.slice(0, 8)}`;
    return { kind: 'archive', name: osPackagesName(os), version, blob };
  });
}

/** Moves a package into the repository. Its name there has no epoch, whose colon apt and its index write in two ways. Gives its part of the index. */
async function take(file: string, out: string): Promise<string> {
  const control = await runProgram(['dpkg-deb', '--field', file], { deadlineMs: 60_000 });
  const { sha256 } = await hashFile(file);
  const name = `${/^Package: (\S+)$/m.exec(control)?.[1] ?? ''}_${sha256.slice(0, 16)}.deb`;
  const { size } = await stat(file);
  await rename(file, join(out, name));
  return `${control.trimEnd()}\nFilename: ./${name}\nSize: ${size}\nSHA256: ${sha256}\n`;
}

async function release(): Promise<{ id: string; version: string }> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const value = (key: string): string => new RegExp(`^${key}="?([A-Za-z0-9._-]*)"?$`, 'm').exec(text)?.[1] ?? '';
  const os = { id: value('ID'), version: value('VERSION_ID') };
  if (await stat('/usr/bin/apt-get').catch(() => null)) return os;
  throw new Error('packages of the operating system can be packed only on a Debian or Ubuntu machine, for machines of the same release: leave native.packagesFrom: server out');
} // prettier-ignore
