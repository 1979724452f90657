import { lookup } from 'node:dns/promises';
import { open, readdir, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Kernel, Mounts, Network, Users } from '@strata/tasks';
import { featureOfModule, kernelFeatures, TaskError } from '@strata/tasks';
import { localSource } from './fact-source';
import { statOf } from './files';
import { type Argv, runProgram, tail } from './programs';

async function must(argv: Argv, remedy: string): Promise<void> {
  const r = await runProgram(argv, { timeoutMs: 60_000 });
  if (r.code !== 0)
    throw new TaskError('program-failed', `\`${argv.join(' ')}\` ended with exit status ${r.code}`, {
      remedy,
      retry: true,
      detail: tail(r.stderr || r.stdout, 6),
    });
}
const sysctlFile = (key: string): string => `/proc/sys/${key.replaceAll('.', '/')}`;

const builtIn = new Set<string>();
let looking: Promise<Record<string, boolean>> | null = null;
/** Whether the kernel does this without a module. Its symbols, 8 MB of text, are read once for all who ask together; what is built in stays so. */
async function isBuiltIn(feature: string): Promise<boolean> {
  if (builtIn.has(feature)) return true;
  looking ??= kernelFeatures(localSource).finally(() => (looking = null));
  if ((await looking)[feature]) builtIn.add(feature);
  return builtIn.has(feature);
}

export function localKernel(): Kernel {
  return {
    sysctl: async (key) => (await readFile(sysctlFile(key), 'utf8').catch(() => null))?.trim().replace(/\s+/g, ' ') ?? null,
    setSysctl: async (key, value) => {
      await writeFile(sysctlFile(key), `${value}\n`).catch((cause: Error) => {
        throw new TaskError('sysctl-refused', `${key} could not be set to ${value}: ${cause.message}`, {
          remedy: `set ${key} = ${value} where this machine's kernel settings are made (on a container, on its host), then retry`,
          cause,
        });
      });
    },
    module: async (name) => {
      const file = name.replaceAll('-', '_');
      if (((await readFile('/proc/modules', 'utf8').catch(() => '')) + '\n').includes(`${file} `)) return 'loaded';
      if ((await statOf(`/sys/module/${file}`)) !== null) return 'builtin';
      const dry = await localSource.run(['modprobe', '-n', '-q', name]);
      const feature = featureOfModule(file);
      if (feature !== null && dry?.code !== 0 && (await isBuiltIn(feature))) return 'builtin';
      return dry?.code === 0 ? 'available' : 'absent';
    },
    loadModule: (name) => must(['modprobe', name], `install a kernel of this machine that has ${name}, then retry`),
    unloadModule: async (name) => void (await localSource.run(['modprobe', '-r', '-q', name])),
  };
}

export function localMounts(): Mounts {
  const list = async (): ReturnType<Mounts['list']> =>
    (await readFile('/proc/self/mounts', 'utf8')).split('\n').filter(Boolean).map((line) => {
      const [device = '', path = '', type = '', options = ''] = line.split(' ');
      return { device, path: path.replaceAll('\\040', ' '), type, options: options.split(',') };
    }); // prettier-ignore
  return {
    list,
    unmount: (path, { detach = false } = {}) =>
      must(['umount', ...(detach ? ['-l'] : []), '--', path], `see who uses ${path} (\`fuser -vm ${path}\`), end it, then retry`),
    swap: async () =>
      (await readFile('/proc/swaps', 'utf8').catch(() => '')).split('\n').slice(1).filter(Boolean).map((line) => {
        const [device = '', , size = '0'] = line.split(/\s+/);
        return { device, size: Number(size) * 1024 };
      }), // prettier-ignore
    swapOff: (device) => must(['swapoff', '--', device], 'free memory on this machine, then retry'),
    swapOn: (device) => must(['swapon', '--', device], `see whether ${device} is still a swap area`),
    space: async (path) => {
      let at = path;
      while ((await statOf(at)) === null) at = at.slice(0, at.lastIndexOf('/')) || '/';
      const s = await statfs(at);
      return { size: s.blocks * s.bsize, free: s.bavail * s.bsize, inodesFree: s.ffree };
    },
    syncLatency: async (path, n) => {
      let at = path;
      while ((await statOf(at)) === null) at = at.slice(0, at.lastIndexOf('/')) || '/';
      const file = join(at, `.strata-latency-${process.pid}`);
      const handle = await open(file, 'wx', 0o600);
      try {
        const took: number[] = [];
        for (let i = 0; i < n; i++) {
          const started = performance.now();
          await handle.write(Buffer.alloc(512, i), 0, 512, i * 512);
          await handle.datasync();
          took.push(performance.now() - started);
        }
        return took.sort((a, b) => a - b)[Math.floor(n / 2)] ?? 0;
      } finally {
        await handle.close();
        await rm(file, { force: true });
      }
    },
  };
}

export function localNetwork(): Network {
  return {
    reaches: (host, port, timeoutMs) =>
      new Promise((resolve) => {
        const socket = connect({ host, port, timeout: timeoutMs });
        const end = (answer: boolean): void => {
          socket.destroy();
          resolve(answer);
        };
        socket.once('connect', () => end(true)).once('error', () => end(false)).once('timeout', () => end(false)); // prettier-ignore
      }),
    banner: (host, port, timeoutMs) =>
      new Promise((resolve) => {
        const socket = connect({ host, port });
        const end = (answer: string | null): void => {
          clearTimeout(timer);
          socket.destroy();
          resolve(answer);
        };
        const timer = setTimeout(() => end(null), timeoutMs);
        socket.once('data', (chunk: Buffer) => end(chunk.toString('latin1').split(/\r?\n/)[0] ?? '')).once('error', () => end(null)).once('close', () => end(null)); // prettier-ignore
      }),
    resolve: async (name, timeoutMs) => {
      const asked = lookup(name, { all: true, family: 4 }).then((all) => [...new Set(all.map((a) => a.address))], () => []); // prettier-ignore
      return Promise.race([asked, sleep(timeoutMs, [] as string[], { ref: false })]);
    },
    get: (url, o) =>
      new Promise((resolve) => {
        const make = url.startsWith('https:') ? httpsRequest : httpRequest;
        const request = make(
          url,
          { timeout: o.timeoutMs, agent: false, ...(url.startsWith('https:') ? { ca: o.ca, rejectUnauthorized: !o.insecure } : {}) },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (c: Buffer) => chunks.push(c));
            response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
            response.on('error', () => resolve(null));
          },
        );
        request.setTimeout(o.timeoutMs, () => request.destroy());
        request.once('error', () => resolve(null)).end();
      }),
    deleteLink: async (name) => {
      if ((await statOf(`/sys/class/net/${name}`)) !== null)
        await must(['ip', 'link', 'delete', 'dev', name], `see what uses ${name} (\`ip -d link show ${name}\`)`);
    },
    links: async () => (await readdir('/sys/class/net')).sort(),
  };
}

export function localUsers(): Users {
  const home = async (user: string): Promise<string | null> => (await readFile('/etc/passwd', 'utf8')).split('\n').find((l) => l.startsWith(`${user}:`))?.split(':')[5] ?? null; // prettier-ignore
  return {
    home,
    authorizedKeys: async (user) => {
      const dir = await home(user);
      const text = dir ? await readFile(`${dir}/.ssh/authorized_keys`, 'utf8').catch(() => '') : '';
      return text.split('\n').filter((l) => l.trim() !== '' && !l.startsWith('#'));
    },
  };
}
