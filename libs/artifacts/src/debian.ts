import { chmod, cp, mkdir, readdir, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Sha256, type Blob } from '@strata/model';
import { z } from 'zod';
import { builtOnce, type BuildContext } from './built';
import { reasonOf } from './failure';
import { folderTar } from './layer-tar';
import { runProgram, tryProgram } from './programs';
import type { DebianLayer } from './recipe';
import { hashFile } from './store';

const Pin = z.strictObject({ name: z.string(), version: z.string(), sha256: Sha256 });
type Pin = z.infer<typeof Pin>;

/**
 * A layer of Debian packages, fetched with apt from this machine's own sources but never installed. The versions are pinned in the store at the
 * first build; when a pinned version has left the sources, that is said and the current one is taken (the layer then gets another digest).
 */
export async function debianLayer(context: BuildContext, name: string, layer: DebianLayer): Promise<Blob> {
  const record = `debian-${name}`;
  const pinned = z.array(Pin).safeParse(await context.store.readRecord('pinned', record)).data;
  if (pinned && pinned.map((p) => p.name).join() === layer.packages.join()) {
    try {
      return await buildLayer(context, { name, layer, pins: pinned });
    } catch (cause) {
      if (!(cause instanceof NotOffered)) throw cause;
      context.progress({ bytes: 0, total: 0, note: `${name}: ${cause.message}; taking the versions that are offered now` });
    }
  }
  const pins = await offered(context, layer.packages);
  const blob = await buildLayer(context, { name, layer, pins });
  await context.store.writeRecord('pinned', record, pins);
  return blob;
}

/** Versions of installed packages; missing ones are installed when we are root. Throws with the command to run otherwise. */
export async function debianVersions(context: BuildContext, packages: readonly string[]): Promise<Record<string, string>> {
  const found = await installedVersions(packages);
  const missing = packages.filter((p) => found[p] === undefined);
  if (missing.length === 0) return found;
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0) throw new Error(`this build needs the Debian packages ${missing.join(', ')}. Run: sudo ${command}`);
  context.progress({ bytes: 0, total: 0, note: `installing ${missing.join(', ')}` });
  const env = { ...context.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1' };
  const argv = [
    'apt-get',
    'install',
    '-y',
    '-q',
    '--no-remove',
    '--no-install-recommends',
    '-o',
    'DPkg::Lock::Timeout=120',
    ...(context.aptOptions ?? []),
    ...missing,
  ] as const;
  const options = { env, deadlineMs: 10 * 60_000, ...(context.signal ? { signal: context.signal } : {}) };
  const install = (): Promise<string> => runProgram([...argv], options);
  const afterUpdate = (): Promise<string> => runProgram(['apt-get', 'update', '-q', ...(context.aptOptions ?? [])], options).then(install); // a new machine has no lists yet, or old ones
  await install()
    .catch(afterUpdate)
    .catch((cause: unknown) => {
      throw new Error(`this build needs the Debian packages ${missing.join(', ')}, and installing them failed: ${reasonOf(cause)}. Run: ${command}`, { cause });
    });
  return installedVersions(packages);
}

async function installedVersions(packages: readonly string[]): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const p of packages) {
    const text = await tryProgram(['dpkg-query', '-W', '-f=${db:Status-Status} ${Version}', p], { deadlineMs: 10_000 });
    const version = /^installed (\S+)$/.exec(text ?? '')?.[1];
    if (version) found[p] = version;
  }
  return found;
}

class NotOffered extends Error {}

/** What apt would download now for `name` or `name=version`: names, versions and digests from the signed lists. */
async function offered(context: BuildContext, wanted: readonly string[]): Promise<Pin[]> {
  const text = await runProgram(['apt-get', 'download', '--print-uris', ...wanted], { env: context.env, deadlineMs: 60_000 }).catch((cause: unknown) => {
    throw new NotOffered(`apt does not offer all of ${wanted.join(', ')}: ${reasonOf(cause)}. Run apt-get update, on a Debian or Ubuntu machine`, { cause });
  });
  const lines = [...text.matchAll(/^'[^']+' (\S+?)_(\S+)_[a-z0-9]+\.deb \d+ SHA256:([0-9a-f]{64})$/gm)];
  const pins = lines.map(([, name = '', version = '', sha256 = '']) => ({ name, version: decodeURIComponent(version), sha256 }));
  return wanted.map((w) => {
    const pin = pins.find((p) => p.name === w.split('=')[0]);
    if (!pin) throw new NotOffered(`apt says no digest for ${w}. Run apt-get update`);
    return pin;
  });
}

async function buildLayer(context: BuildContext, job: { name: string; layer: DebianLayer; pins: readonly Pin[] }): Promise<Blob> {
  const what = `layer ${job.name}`;
  return builtOnce(context, { what, inputs: { debian: job.pins, layer: job.layer } }, async (dir) => {
    const root = join(dir, 'root');
    const debs = join(dir, 'debs');
    await mkdir(root);
    await mkdir(debs);
    await chmod(debs, 0o777);
    context.progress({ bytes: 0, total: 0, note: `${what}: fetching ${job.pins.length} Debian packages` });
    const wanted = job.pins.map((p) => `${p.name}=${p.version}`);
    await offered(context, wanted);
    await runProgram(['apt-get', 'download', '-q', ...(context.aptOptions ?? []), ...wanted], {
      cwd: debs,
      env: context.env,
      deadlineMs: 10 * 60_000,
      ...(context.signal ? { signal: context.signal } : {}),
    });
    for (const file of (await readdir(debs)).sort()) {
      const { sha256 } = await hashFile(join(debs, file));
      if (!job.pins.some((p) => p.sha256 === sha256)) throw new Error(`${file} has sha256 ${sha256}, which is none of the pinned packages`);
      await runProgram(['dpkg-deb', '-x', join(debs, file), root], { deadlineMs: 120_000 });
    }
    await mergeUsr(root);
    for (const path of job.layer.drop) await rm(join(root, path), { recursive: true, force: true });
    for (const [path, target] of Object.entries(job.layer.links)) await symlink(target, join(root, path));
    if (job.layer.applets) await linkApplets(join(root, job.layer.applets));
    return context.store.putStream(folderTar(root));
  });
}

/** Brings bin, sbin, lib and lib64 below usr and links them, as all current distributions have it; layers then fit on each other. */
async function mergeUsr(root: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    const [top, below] = [join(root, name), join(root, 'usr', name)];
    if (await stat(top).catch(() => undefined)) {
      await mkdir(below, { recursive: true });
      await cp(top, below, { recursive: true, verbatimSymlinks: true });
      await rm(top, { recursive: true });
    }
    await mkdir(below, { recursive: true });
    await symlink(`usr/${name}`, top);
  }
}

/** busybox names its applets itself; each becomes a link beside it. */
async function linkApplets(folder: string): Promise<void> {
  const list = await runProgram([join(folder, 'busybox'), '--list'], { deadlineMs: 10_000 });
  for (const applet of list
    .split('\n')
    .filter((a) => a && a !== 'busybox')
    .sort())
    await symlink('busybox', join(folder, applet));
}
