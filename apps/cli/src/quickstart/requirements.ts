import { accessSync, readFileSync, statfsSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';

export interface Machine {
  platform: string;
  uid: number;
  osId: string; // of /etc/os-release
  memory: number; // bytes
  free: number; // bytes on the file system of /var
  cpus: number;
  hasApt: boolean;
}
const GiB = 1 << 30;

export function thisMachine(): Machine {
  const osId = /^ID=(.*)$/m.exec(readOr('/etc/os-release', ''))?.[1]?.replaceAll('"', '') ?? '';
  const fs = statfsSync('/var');
  const hasApt = ((): boolean => {
    try {
      accessSync('/usr/bin/apt-get');
      return true;
    } catch {
      return false;
    }
  })();
  return { platform: process.platform, uid: process.getuid?.() ?? -1, osId, memory: totalmem(), free: fs.bavail * fs.bsize, cpus: cpus().length, hasApt };
}
function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}
/** What this machine lacks to hold the three lab nodes, each in one sentence; empty if nothing. */
export function lacks(m: Machine): string[] {
  const missing: string[] = [];
  if (m.platform !== 'linux') missing.push(`the lab's nodes are Linux containers, and this is ${m.platform}`);
  else if (!m.hasApt)
    missing.push(`the lab's nodes are made with debootstrap and apt, and this system (${m.osId || 'unknown'}) has no apt-get: Debian 12 is proven`);
  if (m.platform === 'linux' && m.uid !== 0)
    missing.push('making machines, bridges and mounts needs root, and you are not root (try: sudo npm run quickstart)');
  if (m.memory < 6 * GiB) missing.push(`three nodes and the control server need 6 GiB of memory, and there are ${(m.memory / GiB).toFixed(1)}`);
  if (m.free < 15 * GiB) missing.push(`the build, its caches and three nodes need 15 GiB on the disk of /var, and ${(m.free / GiB).toFixed(1)} are free`);
  return missing;
}
