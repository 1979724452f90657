import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hostMirror } from './apt-sources';
import { LabFailure } from './failure';
import { withLock } from './lock';
import { removeTree } from './mounts';
import { disabledUnits, maskedUnits, packagesOf, suite, type BaseName } from './plan/packages';
import { run } from './programs';
import type { Settings } from './settings';

/** Raise it when the way a base is made changes. */
const recipeVersion = 1;

/** The folder name of a base: its name and a hash over all that it is made of. */
export function baseId(base: BaseName): string {
  const inputs = JSON.stringify({ recipeVersion, suite, packages: packagesOf(base), disabledUnits, maskedUnits });
  return `${base}-${createHash('sha256').update(inputs).digest('hex').slice(0, 12)}`;
}

/**
 * Gives the folder of a base; builds it when it is not in the cache (once: one builder at a time, made in a temporary folder and then renamed).
 * @throws LabFailure with the end of debootstrap's output.
 */
export async function ensureBase(settings: Settings, base: BaseName, say: (line: string) => void): Promise<{ dir: string; built: boolean }> {
  const bases = join(settings.cacheDir, 'bases');
  const dir = join(bases, baseId(base));
  if (existsSync(dir)) return { dir, built: false };
  return withLock(join(bases, `.${base}.lock`), 1200, async () => {
    if (existsSync(dir)) return { dir, built: false };
    say(`building the base "${base}" (debootstrap ${suite}, about a minute, once)`);
    for (const left of readdirSync(bases)) if (left.startsWith(`.build-${base}-`)) await removeTree(join(bases, left)); // debootstrap mounts /proc in there
    const temporary = join(bases, `.build-${baseId(base)}-${process.pid}`);
    try {
      await debootstrap(settings, temporary, packagesOf(base));
      await neutralise(temporary);
      renameSync(temporary, dir);
    } finally {
      await removeTree(temporary);
    }
    return { dir, built: true };
  });
}

async function debootstrap(settings: Settings, dir: string, packages: string[]): Promise<void> {
  const debs = join(settings.cacheDir, 'debs');
  mkdirSync(debs, { recursive: true });
  const mirror = hostMirror();
  const args = ['--variant=minbase', `--include=${packages.join(',')}`, `--cache-dir=${debs}`, suite, dir, ...(mirror ? [mirror] : [])];
  try {
    await run('debootstrap', args, { deadline: 900_000, env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' } });
  } catch (cause) {
    throw new LabFailure(`the base with ${packages.length} named packages could not be made by debootstrap`, {
      remedy: "look whether this machine reaches its Debian packages (apt-get update) and has 1 GB free in the cache's file system, then try again",
      cause,
    });
  }
}

/** Takes out what must differ from node to node, and switches off what would disturb a test. */
async function neutralise(dir: string): Promise<void> {
  for (const gone of ['var/cache/apt/archives', 'var/lib/apt/lists', 'var/log/bootstrap.log', 'etc/machine-id', 'var/lib/dbus/machine-id'])
    rmSync(join(dir, gone), { recursive: true, force: true });
  for (const folder of ['var/cache/apt/archives/partial', 'var/lib/apt/lists/partial']) mkdirSync(join(dir, folder), { recursive: true });
  writeFileSync(join(dir, 'etc/machine-id'), ''); // systemd writes a fresh one at a node's first boot
  for (const key of readdirSync(join(dir, 'etc/ssh'))) if (key.startsWith('ssh_host_')) rmSync(join(dir, 'etc/ssh', key));
  const units = join(dir, 'etc/systemd/system');
  for (const wants of readdirSync(units).filter((name) => name.endsWith('.wants'))) {
    for (const unit of readdirSync(join(units, wants))) if (disabledUnits.includes(unit)) rmSync(join(units, wants, unit));
  }
  for (const unit of maskedUnits) {
    rmSync(join(units, unit), { force: true });
    symlinkSync('/dev/null', join(units, unit));
  }
  await run('chroot', [dir, 'systemctl', 'enable', '--quiet', 'systemd-networkd', 'ssh']);
}
