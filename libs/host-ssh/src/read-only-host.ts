import { type FactSource, type FileStat, gatherFacts, type Host, interruptedPackages, type UnitState } from '@strata/tasks';
import type { SshMachine } from './machine';
import { SshError } from './ssh-error';

type Argv = readonly [string, ...string[]];

function refuse(what: string): () => Promise<never> {
  return () =>
    Promise.reject(
      new SshError('read-only', `${what} was asked for over SSH, where Strata only looks`, {
        remedy: 'this is a fault of the task: changes belong into apply, which the agent runs',
      }),
    );
}
/** Every method of a port that changes something, refusing. */
function refusing<K extends string>(port: string, names: readonly K[]): Record<K, () => Promise<never>> {
  return Object.fromEntries(names.map((n) => [n, refuse(`${port}.${n}`)])) as Record<K, () => Promise<never>>;
}

/** A machine that is not a node yet: every look works, every change throws. */
export function readOnlyHost(machine: SshMachine): Host {
  const run = async (argv: Argv, timeoutMs = 20_000): Promise<{ code: number; stdout: string; stderr: string }> => machine.exec(argv, { timeoutMs });
  const text = async (argv: Argv): Promise<string | null> => {
    const r = await run(argv);
    return r.code === 0 ? r.stdout : null;
  };
  const read = (path: string): Promise<string | null> => text(['cat', '--', path]);
  const list = async (path: string): Promise<string[]> => ((await text(['ls', '-A', '--', path])) ?? '').split('\n').filter(Boolean);
  const source: FactSource = { read, list, run: async (argv) => run(argv as Argv).then((r) => (r.code === 127 ? null : r)) };

  const stat = async (path: string): Promise<FileStat | null> => {
    const line = await text(['stat', '-c', '%F|%a|%u|%g|%s|%N', '--', path]);
    if (line === null) return null;
    const [type = '', mode = '0', uid = '0', gid = '0', size = '0', name = ''] = line.trim().split('|');
    const kind = type === 'directory' ? 'directory' : type === 'symbolic link' ? 'link' : type.startsWith('regular') ? 'file' : 'other';
    return { kind, mode: parseInt(mode, 8), uid: Number(uid), gid: Number(gid), size: Number(size), target: /-> '(.*)'$/.exec(name)?.[1] ?? null };
  };
  const sha256 = async (path: string): Promise<string | null> => (await text(['sha256sum', '--', path]))?.split(' ')[0] ?? null;

  return {
    files: {
      read,
      stat,
      list,
      sha256,
      image: async (path) => {
        const s = await stat(path);
        if (!s || s.kind === 'other') return { path, kind: 'absent' };
        const digest = s.kind === 'file' ? await sha256(path) : null;
        return { path, kind: s.kind, mode: s.mode, uid: s.uid, gid: s.gid, ...(digest ? { sha256: digest } : {}), ...(s.target ? { target: s.target } : {}) };
      },
      ...refusing('files', ['restore', 'write', 'link', 'mkdir', 'remove', 'install', 'unpack']),
    },
    programs: {
      run: (argv, o) =>
        o?.durable
          ? refuse('a durable program')()
          : machine.exec(argv, { input: o?.input, timeoutMs: o?.timeoutMs ?? 60_000, env: o?.env, cwd: o?.cwd, signal: o?.signal }),
      which: async (name) => (await text(['sh', '-c', 'command -v -- "$1"', 'which', name]))?.trim() ?? null,
    },
    units: {
      state: async (unit) => unitState((await text(['systemctl', 'show', '-p', 'LoadState,ActiveState,UnitFileState,MainPID', '--', unit])) ?? ''),
      log: async (unit, lines) =>
        ((await text(['journalctl', '-q', '--no-pager', '-o', 'cat', '-n', String(lines), '-u', unit])) ?? '').split('\n').filter(Boolean),
      ...refusing('units', ['start', 'stop', 'restart', 'reload', 'enable', 'disable', 'mask', 'unmask', 'daemonReload']),
    },
    packages: {
      manager: async () => (await gatherFacts(source)).packageManager,
      installed: async (names) => {
        const all = await installedPackages(run);
        return Object.fromEntries(names.map((n) => [n, all[n] ?? null]));
      },
      all: () => installedPackages(run),
      lockHolder: async () => (await gatherFacts(source)).packages.lockHolder,
      interrupted: () => interruptedPackages(source),
      ...refusing('packages', ['install', 'remove']),
    },
    kernel: {
      sysctl: async (key) => (await read(`/proc/sys/${key.replaceAll('.', '/')}`))?.trim() ?? null,
      module: async (name) => {
        const file = name.replaceAll('-', '_');
        if ((await stat(`/sys/module/${file}`)) !== null) return 'loaded';
        const found = await run(['modprobe', '-n', '-q', name]);
        return found.code === 0 ? 'available' : 'absent';
      },
      ...refusing('kernel', ['setSysctl', 'loadModule', 'unloadModule']),
    },
    mounts: {
      list: async () => ((await read('/proc/self/mounts')) ?? '').split('\n').filter(Boolean).map(mountLine),
      swap: async () =>
        ((await read('/proc/swaps')) ?? '').split('\n').slice(1).filter(Boolean).map((l) => {
          const [device = '', , size = '0'] = l.split(/\s+/);
          return { device, size: Number(size) * 1024 };
        }), // prettier-ignore
      space: async (path) => {
        const [size = 0, free = 0, inodesFree = 0] = ((await text(['df', '-B1', '--output=size,avail,iavail', '--', path])) ?? '').trim().split('\n').at(-1)?.trim().split(/\s+/).map(Number) ?? []; // prettier-ignore
        return { size, free, inodesFree };
      },
      // a few bytes for a moment, in a file that is gone afterwards: the one thing a look must write to know
      syncLatency: async (path, n) => {
        const script =
          'f="$1/.strata-sync-$$"; trap "rm -f $f" EXIT; s=$(date +%s%N); dd if=/dev/zero of="$f" bs=512 count="$2" oflag=dsync 2>/dev/null || exit 1; echo $(( $(date +%s%N) - s ))';
        const r = await run(['sh', '-c', script, 'sync', path, String(n)]);
        if (r.code !== 0)
          throw new SshError('upload-failed', `nothing could be written at ${path}`, { remedy: 'check that the file system there is writable and has space' });
        return Number(r.stdout.trim()) / 1e6 / n;
      },
      ...refusing('mounts', ['unmount', 'swapOff', 'swapOn']),
    },
    network: {
      reaches: async (host, port, timeoutMs) =>
        (await run(['timeout', String(timeoutMs / 1000), 'bash', '-c', 'exec 3<>"/dev/tcp/$1/$2"', 'reach', host, String(port)], timeoutMs + 5000)).code === 0,
      resolve: async (name, timeoutMs) => {
        const r = await run(['timeout', String(timeoutMs / 1000), 'getent', 'ahostsv4', name], timeoutMs + 5000);
        return [...new Set(r.stdout.split('\n').map((l) => l.split(/\s+/)[0] ?? '').filter(Boolean))]; // prettier-ignore
      },
      get: refuse('network.get'),
      banner: refuse('network.banner'),
      links: async () => list('/sys/class/net'),
      ...refusing('network', ['deleteLink']),
    },
    artifacts: { has: async () => Promise.resolve(false), ...refusing('artifacts', ['fetch', 'drop']) },
    images: () => ({ list: async () => Promise.resolve([]), incomplete: async () => Promise.resolve([]), changedAt: async () => Promise.resolve(null), ...refusing('images', ['import', 'pin', 'remove']) }),
    bucket: () => refusing('bucket', ['list', 'put', 'get', 'remove', 'setting']),
    metadataStore: () => refusing('metadataStore', ['look', 'trial', 'counters', 'raise', 'erase']),
    users: {
      home: async (user) => (await text(['getent', 'passwd', user]))?.split(':')[5] ?? null,
      authorizedKeys: async (user) => {
        const home = (await text(['getent', 'passwd', user]))?.split(':')[5];
        return home ? ((await read(`${home}/.ssh/authorized_keys`)) ?? '').split('\n').filter((l) => l.trim() !== '' && !l.startsWith('#')) : [];
      },
    },
    facts: (...only) => gatherFacts(source, ...only),
    hostname: async () => ((await text(['hostname'])) ?? '').trim(),
    setHostname: refuse('setHostname'),
  };
}

async function installedPackages(run: (argv: Argv, timeoutMs?: number) => Promise<{ code: number; stdout: string }>): Promise<Record<string, string>> {
  const dpkg = await run(['dpkg-query', '-W', '-f', '${db:Status-Abbrev}|${Package}|${Version}\\n'], 30_000);
  if (dpkg.code === 0)
    return Object.fromEntries(dpkg.stdout.split('\n').filter((l) => l.startsWith('ii')).map((l) => [l.split('|')[1] ?? '', l.split('|')[2] ?? ''])); // prettier-ignore
  const rpm = await run(['rpm', '-qa', '--qf', '%{NAME}|%{VERSION}-%{RELEASE}\\n'], 30_000);
  return rpm.code === 0 ? Object.fromEntries(rpm.stdout.split('\n').filter(Boolean).map((l) => [l.split('|')[0] ?? '', l.split('|')[1] ?? ''])) : {}; // prettier-ignore
}
function unitState(show: string): UnitState {
  const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(show)?.[1] ?? '';
  const enabled = value('UnitFileState');
  const pid = Number(value('MainPID'));
  return {
    load: (value('LoadState') || 'not-found') as UnitState['load'],
    active: (value('ActiveState') || 'inactive') as UnitState['active'],
    enabled: (['enabled', 'disabled', 'static', 'masked'].includes(enabled) ? enabled : 'unknown') as UnitState['enabled'],
    mainPid: pid > 0 ? pid : null,
  };
}
function mountLine(line: string): { device: string; path: string; type: string; options: string[] } {
  const [device = '', path = '', type = '', options = ''] = line.split(' ');
  return { device, path: path.replaceAll('\\040', ' '), type, options: options.split(',') };
}
