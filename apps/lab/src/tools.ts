import { existsSync, readFileSync } from 'node:fs';
import { LabFailure } from './failure';
import { hostPrograms } from './plan/packages';
import { run, tryRun } from './programs';

/** Whether a program is installed on this machine. */
export const inPath = (program: string): boolean =>
  [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/bin', '/bin'].some((dir) => dir !== '' && existsSync(`${dir}/${program}`));

/** @throws LabFailure (exit code 2) unless this is Linux and the caller is root. */
export function requireRoot(): void {
  if (process.platform !== 'linux') {
    throw new LabFailure(`the lab needs Linux (systemd-nspawn, network bridges, cgroups); this is ${process.platform}`, {
      remedy: 'run it on a Debian machine, or give Strata machines of your own by SSH',
      exitCode: 2,
    });
  }
  if (process.geteuid?.() !== 0) {
    throw new LabFailure('the lab needs root: it makes mounts, network bridges and cgroups', {
      remedy: 'run the same command with sudo or as root',
      exitCode: 2,
    });
  }
}

/**
 * Makes sure that the programs of the lab are there; on Debian and its kin installs those that are missing, and says so through `say`.
 * @throws LabFailure naming the packages where it cannot.
 */
export async function requirePrograms(say: (line: string) => void): Promise<void> {
  const missing = (): string[] => Object.keys(hostPrograms).filter((program) => !inPath(program));
  const packages = [...new Set(missing().map((program) => hostPrograms[program] ?? program))].sort();
  if (packages.length === 0) return;
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  if (!/^ID(_LIKE)?=.*(debian|ubuntu)/m.test(release) || !inPath('apt-get')) {
    throw new LabFailure(`programs that the lab needs are missing: ${missing().join(', ')}`, {
      remedy: `install the packages ${packages.join(', ')} (their Debian names)`,
    });
  }
  if (!release.includes('ID=debian')) packages.push('debian-archive-keyring');
  say(`installing Debian packages that the lab needs: ${packages.join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1', LC_ALL: 'C.UTF-8' };
  const install = ['install', '-y', '--no-install-recommends', '--no-remove', ...packages];
  if ((await tryRun('apt-get', install, { deadline: 600_000, env })).code !== 0) {
    await run('apt-get', ['update'], { deadline: 300_000, env });
    await run('apt-get', install, { deadline: 600_000, env });
  }
  if (missing().length)
    throw new LabFailure(`after installing ${packages.join(', ')} still missing: ${missing().join(', ')}`, { remedy: 'install them by hand' });
}
