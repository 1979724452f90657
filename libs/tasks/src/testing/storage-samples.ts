import type { FileArtifact } from '@strata/model';
import { memoryDigest, type MemoryNode } from './memory-files';
import type { MemoryHost } from './memory-host';
import { said } from './memory-programs';
import type { TaskSample } from './native-samples';

const artifact = (name: string): FileArtifact => ({
  kind: 'file',
  name,
  version: '1.4.2',
  blob: { sha256: [...name].map((c) => c.charCodeAt(0).toString(16)).join('').padEnd(64, '0'), size: 1000 }, // prettier-ignore
});
const path = '/strata/rootfs';
const secret = (name: string): { $secret: string } => ({ $secret: `sample:${name}` });
const caPem = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
const mount = {
  cluster: 'home',
  node: 'n1',
  path,
  cache: { path: '/var/cache/strata/juicefs', sizeMiB: 1024, freeRatio: 0.25 },
  password: secret('password'),
  caPem,
};

/** What machines of one cluster share: the volume, and each other's trees while they are mounted. */
export interface SharedMemory {
  key: string | null;
  machines: MemoryHost[];
  /** Bytes that mounts have put into the bucket. */
  sent?: number;
  /** Who holds the lock of a file. */
  locked?: Map<string, MemoryHost>;
}
/** A machine on which storage can be simulated: a Redis with its users, an object store, a volume, and a tree that is there while it is mounted. */
export function seedStorage(host: MemoryHost, shared: SharedMemory = { key: null, machines: [] }): void {
  shared.machines.push(host);
  host.files.put('/etc/strata/agent.yaml', '');
  host.files.put('/dev/fuse', '');
  host.files.put('/usr/bin/redis-check-rdb', 'redis');
  const users = new Set<string>();
  host.program('redis-cli', (_, { input = '' }) => {
    if (!host.units.active.has('strata-metadata.service')) return said('', 1, 'Could not connect to Redis');
    const answer = (line: string): string => {
      const [, verb, name = ''] = /^ACL (USERS|SETUSER|DELUSER) ?(\S*)/.exec(line) ?? [];
      if (verb === 'SETUSER') users.add(name);
      else if (verb === 'DELUSER') users.delete(name);
      return verb === 'USERS' ? ['default', ...users].join('\n') : line === 'PING' ? 'PONG' : 'OK';
    };
    return said(input.split('\n').filter(Boolean).map(answer).join('\n')); // prettier-ignore
  });
  host.program('redis-server', () => said('Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64\n'));
  host.program('find', () => said()); // no block waits for the bucket
  host.program('mc', () => said('{"status":"success"}\n'));
  host.program('weed', () => said('created bucket home-rootfs\n'));
  const others = host.http;
  const runs = (unit: string): boolean => host.units.active.has(unit);
  host.http = (url) => {
    if (url.includes(':8333')) return runs('strata-objects.service') ? { status: 403, body: '' } : null;
    if (url.includes(':9000')) return runs('strata-minio.service') ? { status: url.endsWith('/live') ? 200 : 403, body: '' } : null;
    return others(url);
  };
  seedJuicefs(host, shared);
}
const folder = { kind: 'directory', mode: 0o755, uid: 0, gid: 0 } as const;
function seedJuicefs(host: MemoryHost, shared: SharedMemory): void {
  const view = new Map<string, string>(); // what this machine saw when it was mounted last
  const textOf = (file: string): string | null => shared.machines.filter((m) => m.mounted.some((at) => at.path === path)).map((m) => m.files.text(file)).find((t) => t !== null) ?? null; // prettier-ignore
  const folders = (of: string): string[] => (of.length <= path.length ? [] : [...folders(of.slice(0, of.lastIndexOf('/'))), of]);
  host.program('mkdir', (argv) => {
    for (const at of folders(argv.at(-1) ?? '')) if (!host.files.tree.has(at)) host.files.place(at, folder);
    return said();
  });
  host.program('dd', (argv, { input = '' }) => {
    host.files.put((argv[1] ?? '').slice('of='.length), input);
    shared.sent = (shared.sent ?? 0) + input.length;
    return said();
  });
  host.program('cat', () => said(`juicefs_object_request_data_bytes_PUT ${shared.sent ?? 0}\n`));
  host.program('systemd-run', (argv) => {
    (shared.locked ??= new Map()).set(argv.at(-3) ?? '', host);
    return said();
  });
  host.program('systemctl', (argv) => {
    for (const [file, by] of shared.locked ?? []) if (argv.at(-1) === 'strata-view-lock.service' && by === host) shared.locked?.delete(file);
    return said();
  });
  host.program('flock', (argv) => said('', shared.locked?.has(argv.at(-2) ?? '') === true ? 75 : 0));
  host.program('mv', (argv) => {
    const [from = '', to = ''] = argv.slice(-2);
    for (const at of [from, ...[...host.files.tree.keys()].filter((p) => p.startsWith(`${from}/`))]) {
      host.files.place(to + at.slice(from.length), host.files.tree.get(at) ?? null);
      host.files.place(at, null);
    }
    return said();
  });
  host.program('head', (argv) => {
    const text = textOf(argv.at(-1) ?? '');
    return text === null ? said('', 1, 'head: No such file or directory') : said(text);
  });
  host.program('sha256sum', (argv) => {
    const file = argv.at(-1) ?? '';
    const text = textOf(file);
    return text === null ? said('', 1, `sha256sum: ${file}: No such file or directory`) : said(`${memoryDigest(text)}  ${file}\n`);
  });
  host.program('juicefs', (argv, { env = {} }) => {
    const url = argv.at(-2) ?? '';
    if (argv[1] === 'format' && url.startsWith('postgres:')) host.metadata.format(argv.at(-1) ?? '', { AccessKey: env.ACCESS_KEY });
    else if (argv[1] === 'format') shared.key = env.ACCESS_KEY ?? '';
    if (argv[1] !== 'status') return said('1.4.2\n');
    if (shared.key === null) return said('', 1, '<FATAL>: database is not formatted');
    return said(
      JSON.stringify({
        Setting: { Name: 'strata-home', Bucket: 'https://objects.home.strata.internal:8333/home-rootfs', AccessKey: shared.key, TrashDays: 7 },
      }),
    );
  });
  const inside = (): string[] => [...host.files.tree.keys()].filter((p) => p.startsWith(`${path}/`));
  const below = new Map<string, MemoryNode>(); // what the mount hides
  const swap = (from: (name: string, node: MemoryNode) => void): void => {
    for (const name of inside()) {
      from(name, host.files.tree.get(name) ?? folder);
      host.files.tree.delete(name);
    }
  };
  const start = (): void => {
    if (host.mounted.some((m) => m.path === path)) return;
    host.mounted.push({ path, device: 'JuiceFS:strata-home', type: 'fuse.juicefs', options: [] });
    swap((name, node) => below.set(name, node));
    for (const [name, content] of view) host.files.place(name, content === '' ? folder : { ...folder, kind: 'file', mode: 0o644, content });
  };
  const stop = (): void => {
    if (!host.mounted.some((m) => m.path === path)) return;
    swap((name, node) => view.set(name, node.kind === 'file' ? node.content : ''));
    for (const [name, node] of below) host.files.place(name, node);
    below.clear();
    host.mounted.splice(0, host.mounted.length, ...host.mounted.filter((m) => m.path !== path));
  };
  host.units.behave('strata-juicefs.service', { start, stop });
  host.units.behave('strata-view.service', {
    start: () => void host.mounted.push({ path: '/var/lib/strata-view', device: 'JuiceFS:strata-home', type: 'fuse.juicefs', options: [] }),
    stop: () => void host.mounted.splice(0, host.mounted.length, ...host.mounted.filter((m) => m.path !== '/var/lib/strata-view')),
  });
}
const withBlob = (host: MemoryHost, name: string): void => {
  seedStorage(host);
  host.files.blobs.add(artifact(name).blob.sha256);
};
const mounted = (host: MemoryHost): void => {
  seedStorage(host);
  host.files.place(path, { kind: 'directory', mode: 0o755, uid: 0, gid: 0 });
  host.mounted.push({ path, device: 'JuiceFS:strata-home', type: 'fuse.juicefs', options: [] });
};
const metadata = {
  cluster: 'home',
  address: '10.0.0.11',
  maxMemoryMiB: 1024,
  identity: secret('identity'),
  admin: secret('password'),
  adminHash: secret('hash'),
};

export const storageSamples: readonly TaskSample[] = [
  { task: 'metadata.redis', input: { ...metadata, users: ['n1', 'n2'].map((node) => ({ node, hash: secret('hash') })) }, prepare: (h) => seedStorage(h) },
  {
    task: 'objects.seaweedfs',
    input: { artifact: artifact('seaweedfs'), cluster: 'home', address: '10.0.0.11', identity: secret('identity'), access: secret('password'), secret: secret('password') },
    prepare: (h) => withBlob(h, 'seaweedfs'),
  },
  {
    task: 'objects.minio',
    input: {
      artifact: artifact('minio'), client: artifact('minio-client'), cluster: 'home', address: '10.0.0.11', identity: secret('identity'), root: secret('password'),
      access: secret('password'), secret: secret('password'),
    },
    prepare: (h) => {
      withBlob(h, 'minio');
      h.files.blobs.add(artifact('minio-client').blob.sha256);
    },
  },
  { task: 'juicefs.install', input: { artifact: artifact('juicefs') }, prepare: (h) => withBlob(h, 'juicefs') },
  { task: 'juicefs.mount', input: mount, prepare: (h) => seedStorage(h) },
  {
    task: 'juicefs.mount',
    input: mount,
    prepare: (h) => {
      seedStorage(h);
      h.files.put('/etc/updatedb.conf', 'PRUNEFS="nfs proc"\nPRUNEPATHS="/tmp"\n');
      h.files.place(`${path}/common`, { kind: 'directory', mode: 0o755, uid: 0, gid: 0 });
    },
  },
  {
    task: 'juicefs.mount',
    input: { ...mount, external: { url: 'postgres://strata@db.example/strata', caPem: caPem.replace('AAAA', 'BBBB') } },
    prepare: (h) => seedStorage(h),
  },
  { task: 'metadata.dumps', input: { cluster: 'home', node: 'n1' }, prepare: (h) => seedStorage(h) },
  { task: 'juicefs.side-mount', input: { cluster: 'home', node: 'n1', password: secret('password'), caPem }, prepare: (h) => seedStorage(h) },
  {
    task: 'tree.aside',
    input: { path },
    prepare: (h) => {
      seedStorage(h);
      h.files.put(`${path}/common/mine`, 'x');
      h.files.put('/var/lib/strata/notes/other', '');
    },
  },
  { task: 'view.write', input: { path, node: 'n1' }, prepare: mounted },
  { task: 'view.write', input: { path, node: 'n1', run: 'a-run' }, prepare: mounted },
]; // prettier-ignore
