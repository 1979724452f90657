import type { Artifact, Facts, ImageArtifact } from '@strata/model';
import type { Bucket, BucketAccess } from '../ports/bucket';
import type { Clock } from '../ports/clock';
import type { Artifacts, Host, Images, Kernel, Mount, Mounts, Network, ProgramResult, Programs, RunOptions, Users } from '../ports/host';
import type { MetadataAccess, MetadataStore } from '../ports/metadata-store';
import { type RuntimePlace, runtimePaths } from '../runtime-place';
import { TaskError } from '../task-error';
import { Effects } from './effects';
import { bareFacts } from './memory-facts';
import { MemoryFiles } from './memory-files';
import { MemoryPackages } from './memory-packages';
import { MemoryBucket } from './memory-bucket';
import { MemoryMetadata } from './memory-metadata';
import { seedPrograms, seedRepository } from './memory-programs';
import { MemoryUnits } from './memory-units';

export type MemoryProgram = (argv: readonly string[], options: RunOptions) => ProgramResult | Promise<ProgramResult>;
/** Everything that undo must give back, as plain JSON. */
export type MemorySnapshot = Record<string, unknown>;
const blobsOf = (a: Artifact): { sha256: string }[] => (a.kind === 'image' ? a.blobs : [a.blob]);

/**
 * A Debian machine in memory, faithful in what tasks can see: file tree, units by their files, packages with a repository, sysctl, modules, images.
 * Set it up by its fields and `put`, `program`, `seed`; let a change fail by `effects.failAt`; compare by `snapshot`.
 */
export class MemoryHost implements Host {
  readonly effects = new Effects();
  readonly files = new MemoryFiles(this.effects);
  readonly units = new MemoryUnits(this.files, this.effects);
  readonly packages = new MemoryPackages({ files: this.files, units: this.units, effects: this.effects });
  readonly sysctls = new Map<string, string>([['net.ipv4.ip_forward', '0'], ['vm.overcommit_memory', '0'], ['vm.swappiness', '60'], ['kernel.panic', '0'], ['kernel.panic_on_oops', '0'], ['fs.inotify.max_user_instances', '128'], ['fs.inotify.max_user_watches', '8192'], ['net.core.somaxconn', '4096'], ['vm.max_map_count', '65530']]); // prettier-ignore
  readonly modules = new Map<string, 'loaded' | 'builtin' | 'available'>([['overlay', 'builtin'], ['br_netfilter', 'available'], ['nf_conntrack', 'available'], ['vxlan', 'available']]); // prettier-ignore
  readonly mounted: Mount[] = [{ path: '/', device: '/dev/sda1', type: 'ext4', options: ['rw'] }];
  readonly swaps: { device: string; size: number }[] = [];
  readonly imageStore = new Map<string, { digest: string; pinned: boolean }>();
  readonly brokenImages = new Set<string>(); // refs whose content is not whole
  /** Anything else that a program of a test keeps: part of the snapshot. */
  readonly extra = new Map<string, unknown>();
  readonly runs: string[][] = [];
  baseFacts: Facts;
  syncMs = 1;
  /** Gives the machine's wall clock; without it `baseFacts.time.wallMs` stands still. */
  clock: Clock | null = null;
  reachable: (host: string, port: number) => boolean = () => true;
  /** The one object store that it can reach, shared by whoever is given it. */
  objects = new MemoryBucket();
  /** The one database for metadata of somebody else's that it can reach. */
  metadata = new MemoryMetadata();
  http: (url: string) => { status: number; body: string } | null = () => null;
  names: (name: string) => string[] = () => [];
  banners: (port: number) => string | null = (port) => (port === 22 && this.units.active.has('ssh.service') ? 'SSH-2.0-OpenSSH_9.2' : null);
  private readonly programTable = new Map<string, MemoryProgram>();

  constructor(name = 'n1', address = '10.0.0.11') {
    this.baseFacts = bareFacts(name, address);
    this.extra.set('hostname', name);
    this.files.put('/etc/hostname', `${name}\n`);
    this.files.put('/etc/hosts', `127.0.0.1 localhost\n127.0.1.1 ${name}\n`);
    this.files.put('/etc/resolv.conf', 'nameserver 192.0.2.53\n');
    this.files.put('/etc/ssh/sshd_config', 'Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n');
    this.files.put('/etc/passwd', 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n');
    this.files.put('/etc/fstab', '');
    this.units.seed('ssh.service', { active: true, enabled: true });
    this.units.seed('systemd-journald.service', { text: '[Service]\nExecStart=/lib/systemd/systemd-journald\n', active: true });
    seedRepository(this);
    seedPrograms(this);
  }

  /** Defines a program by its name; it is found on the PATH from now on. */
  program(name: string, run: MemoryProgram): void {
    this.programTable.set(name, run);
  }
  readonly programs: Programs = {
    run: async (argv, options = {}) => {
      options.signal?.throwIfAborted();
      const name = argv[0].split('/').at(-1) ?? '';
      const program = this.programTable.get(name);
      if (!program) throw new TaskError('no-program', `\`${argv.join(' ')}\` could not be started: there is no such program`, { remedy: `install ${name}` });
      this.runs.push([...argv]);
      const result = await this.effects.run(`programs.run ${argv.join(' ')}`, () => program(argv, options));
      for (const stream of ['stdout', 'stderr'] as const) for (const line of result[stream].split('\n').filter(Boolean)) options.onLine?.(line, stream);
      return result;
    },
    which: async (name) => {
      const found = ['/usr/local/bin', '/usr/sbin', '/usr/bin'].map((d) => `${d}/${name}`).find((p) => this.files.tree.has(p));
      return Promise.resolve(found ?? (this.programTable.has(name) ? `/usr/bin/${name}` : null));
    },
  };
  readonly kernel: Kernel = {
    sysctl: async (key) => Promise.resolve(this.sysctls.get(key) ?? null),
    setSysctl: (key, value) =>
      this.effects.run(`kernel.setSysctl ${key}`, () => {
        if (!this.sysctls.has(key)) throw new TaskError('sysctl-refused', `${key} could not be set: no such key`, { remedy: 'load the module it belongs to' });
        this.sysctls.set(key, value);
      }),
    module: async (name) => Promise.resolve(this.modules.get(name) ?? 'absent'),
    loadModule: (name) =>
      this.effects.run(`kernel.loadModule ${name}`, () => {
        if (!this.modules.has(name)) throw new TaskError('program-failed', `modprobe ${name}: not found`, { remedy: 'install a kernel that has it' });
        this.modules.set(name, 'loaded');
        if (name === 'br_netfilter') for (const f of ['iptables', 'ip6tables']) this.sysctls.set(`net.bridge.bridge-nf-call-${f}`, '0');
        if (name === 'nf_conntrack') this.sysctls.set('net.netfilter.nf_conntrack_max', '65536');
      }),
    unloadModule: (name) =>
      this.effects.run(`kernel.unloadModule ${name}`, () => {
        if (this.modules.get(name) !== 'loaded') return;
        this.modules.set(name, 'available');
        if (name === 'br_netfilter') for (const f of ['iptables', 'ip6tables']) this.sysctls.delete(`net.bridge.bridge-nf-call-${f}`);
        if (name === 'nf_conntrack') this.sysctls.delete('net.netfilter.nf_conntrack_max');
      }),
  };
  readonly mounts: Mounts = {
    list: async () => Promise.resolve([...this.mounted]),
    unmount: (path) =>
      this.effects.run(`mounts.unmount ${path}`, () => void this.mounted.splice(0, this.mounted.length, ...this.mounted.filter((m) => m.path !== path))),
    swap: async () => Promise.resolve([...this.swaps]),
    swapOff: (device) =>
      this.effects.run(`mounts.swapOff ${device}`, () => void this.swaps.splice(0, this.swaps.length, ...this.swaps.filter((s) => s.device !== device))),
    swapOn: (device) =>
      this.effects.run(`mounts.swapOn ${device}`, () => {
        if (!this.swaps.some((s) => s.device === device)) this.swaps.push({ device, size: 1e9 });
      }),
    space: async () =>
      Promise.resolve({
        size: this.baseFacts.disks[0]?.size ?? 0,
        free: this.baseFacts.disks[0]?.free ?? 0,
        inodesFree: this.baseFacts.disks[0]?.inodesFree ?? 0,
      }),
    syncLatency: async () => Promise.resolve(this.syncMs),
  };
  readonly network: Network = {
    reaches: async (host, port) => Promise.resolve(this.reachable(host, port)),
    banner: async (_host, port) => Promise.resolve(this.banners(port)),
    resolve: async (name) => Promise.resolve(this.names(name)),
    get: async (url) => Promise.resolve(this.http(url)),
    deleteLink: (name) => this.effects.run(`network.deleteLink ${name}`, () => void delete this.baseFacts.mtu[name]),
    links: async () => Promise.resolve(Object.keys(this.baseFacts.mtu)),
  };
  readonly bucket = (at: BucketAccess): Bucket => this.objects.as(at, this.effects);
  readonly metadataStore = (at: MetadataAccess): MetadataStore => this.metadata.as(at, this.effects);
  readonly artifacts: Artifacts = {
    has: async (artifact) => Promise.resolve(blobsOf(artifact).every((b) => this.files.blobs.has(b.sha256))),
    fetch: async (artifacts, { progress }) => {
      for (const [i, artifact] of artifacts.entries()) {
        await this.effects.run(`artifacts.fetch ${artifact.name}`, () => blobsOf(artifact).forEach((b) => this.files.blobs.add(b.sha256)));
        progress?.((i + 1) / artifacts.length, `fetching ${artifact.name}`);
      }
    },
    drop: (artifacts) => this.effects.run('artifacts.drop', () => artifacts.flatMap(blobsOf).forEach((b) => this.files.blobs.delete(b.sha256))),
  };
  readonly images = (place: RuntimePlace): Images => ({
    list: async () => {
      this.needContainerd(place);
      return Promise.resolve([...this.imageStore].map(([ref, i]) => ({ ref, ...i })));
    },
    incomplete: async () => Promise.resolve([...this.brokenImages]),
    changedAt: async () => Promise.resolve(null),
    import: async (images, { progress }) => {
      this.needContainerd(place);
      for (const [i, image] of images.entries()) {
        await this.effects.run(`images.import ${image.ref}`, () => this.addImage(image));
        progress?.((i + 1) / images.length, image.ref);
      }
    },
    pin: (ref) =>
      this.effects.run(`images.pin ${ref}`, () => {
        const image = this.imageStore.get(ref);
        if (!image) throw new TaskError('containerd-failed', `image ${ref}: not found`, { remedy: 'import it' });
        image.pinned = true;
      }),
    remove: (ref) => this.effects.run(`images.remove ${ref}`, () => void this.imageStore.delete(ref)),
  });
  readonly users: Users = {
    home: async (user) =>
      Promise.resolve(
        (this.files.text('/etc/passwd') ?? '')
          .split('\n')
          .find((l) => l.startsWith(`${user}:`))
          ?.split(':')[5] ?? null,
      ),
    authorizedKeys: async (user) => {
      const home = await this.users.home(user);
      return (this.files.text(`${home ?? ''}/.ssh/authorized_keys`) ?? '').split('\n').filter((l) => l.trim() !== '' && !l.startsWith('#'));
    },
  };
  /** `baseFacts` with what follows from the state: name, resolver, time service, our containerd. */
  async facts<K extends keyof Facts = keyof Facts>(...only: K[]): Promise<Pick<Facts, K>> {
    const resolv = (this.files.text('/etc/resolv.conf') ?? '').split('\n');
    const chrony = this.units.active.has('chrony.service');
    const listed = this.baseFacts.containerRuntimes.map((r) => r.unit);
    const ours = [runtimePaths.own, runtimePaths.beside].flatMap(({ unit, socket }) => {
      const file = listed.includes(unit) ? null : this.units.path(unit);
      return file
        ? [{ kind: 'containerd', version: null, package: null, unit, socket, ours: (this.files.text(file) ?? '').includes('Written by Strata') }]
        : [];
    });
    const all: Facts = {
      ...structuredClone(this.baseFacts),
      hostname: this.extra.get('hostname') as string,
      dns: { ...this.baseFacts.dns, servers: resolv.filter((l) => l.startsWith('nameserver ')).map((l) => l.slice(11)), search: resolv.filter((l) => l.startsWith('search ')).flatMap((l) => l.slice(7).split(' ')) }, // prettier-ignore
      time: { ...this.baseFacts.time, wallMs: this.clock?.now() ?? this.baseFacts.time.wallMs, service: chrony ? 'chrony' : this.baseFacts.time.service },
      containerRuntimes: [...this.baseFacts.containerRuntimes, ...ours],
    };
    return Promise.resolve(only.length === 0 ? all : (Object.fromEntries(only.map((name) => [name, all[name]])) as Pick<Facts, K>));
  }
  hostname = (): Promise<string> => Promise.resolve(this.extra.get('hostname') as string);
  setHostname = (name: string): Promise<void> => this.effects.run('setHostname', () => void this.extra.set('hostname', name));

  /** A reboot: only what is on disk stays; sysctl and modules come back as the drop-ins say. */
  async reboot(): Promise<void> {
    this.baseFacts.bootId = this.baseFacts.bootId.replace(/\d+$/, (n) => String(Number(n) + 1));
    for (const [name, state] of this.modules) if (state === 'loaded') this.modules.set(name, 'available');
    await this.units.reboot();
  }
  /** The whole machine but Strata's own state directory. Two equal machines have equal snapshots. */
  snapshot(): MemorySnapshot {
    const sorted = <V>(map: Iterable<[string, V]>): Record<string, V> => Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
    return structuredClone({
      files: sorted([...this.files.tree].filter(([path]) => path !== '/var/lib/strata' && !path.startsWith('/var/lib/strata/'))),
      units: [...this.units.active].map(([unit, run]) => `${unit} ${run.failed ? 'failed' : 'active'}`).sort(),
      settings: sorted([...this.units.seen].filter(([unit]) => this.units.active.has(unit))),
      packages: sorted(this.packages.here),
      sysctl: sorted(this.sysctls),
      modules: sorted(this.modules),
      swaps: this.swaps,
      mounts: this.mounted,
      images: sorted(this.imageStore),
      extra: sorted(this.extra),
    });
  }
  private addImage(image: ImageArtifact): void {
    if (!image.blobs.every((b) => this.files.blobs.has(b.sha256)))
      throw new TaskError('artifact-missing', `${image.ref} is not in this node's store`, { remedy: 'retry artifacts.fetch', retry: true });
    this.brokenImages.delete(image.ref);
    this.imageStore.set(image.ref, { digest: `sha256:${image.blobs[0]?.sha256 ?? ''}`, pinned: false });
  }
  private needContainerd(place: RuntimePlace): void {
    if (!this.units.active.has(runtimePaths[place].unit))
      throw new TaskError('containerd-failed', 'containerd does not answer', { remedy: 'see whether containerd runs', retry: true });
  }
}
