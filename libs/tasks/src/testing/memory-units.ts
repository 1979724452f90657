import type { Units, UnitState } from '../ports/host';
import { TaskError } from '../task-error';
import type { Effects } from './effects';
import { memoryDigest, type MemoryFiles } from './memory-files';

const folders = ['/etc/systemd/system', '/run/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'];

/** Folders from which units take their settings when they start or reload. */
const settings: Record<string, string[]> = {
  'ssh.service': ['/etc/ssh'],
  'chrony.service': ['/etc/chrony'],
  'containerd.service': ['/etc/containerd', '/usr/local/bin/containerd'],
  'strata-containerd.service': ['/etc/strata/containerd', '/opt/strata/runtime/bin/containerd'],
  'systemd-journald.service': ['/etc/systemd/journald.conf'],
  'systemd-resolved.service': ['/etc/systemd/resolved.conf'],
  'NetworkManager.service': ['/etc/NetworkManager'],
  'strata-metadata.service': ['/etc/strata/storage/metadata/redis.conf', '/etc/strata/storage/metadata/certificate.pem'],
  'strata-objects.service': ['/etc/strata/storage/objects', '/opt/strata/storage/bin/weed'],
  'strata-minio.service': ['/etc/strata/storage/minio/env', '/etc/strata/storage/minio/public.crt', '/opt/strata/storage/bin/minio'],
  'strata-juicefs.service': ['/etc/strata/storage/juicefs'],
};

/** What happens on a machine when a unit starts or stops; throwing from `start` is a unit that fails. */
export interface UnitBehaviour {
  start?: () => void | Promise<void>;
  stop?: () => void | Promise<void>;
}

/** systemd as tasks see it: units come from unit files, enabling makes the links that [Install] asks for, masking links to /dev/null. */
export class MemoryUnits implements Units {
  /** Units that run now. */
  readonly active = new Map<string, { pid: number; failed: boolean }>();
  /** Digest of the settings that a running unit goes by: a file written without a reload shows here. */
  readonly seen = new Map<string, string>();
  private readonly behaviours = new Map<string, UnitBehaviour>();
  private pids = 1000;

  constructor(
    private readonly files: MemoryFiles,
    private readonly effects: Effects,
  ) {}

  behave(unit: string, behaviour: UnitBehaviour): void {
    this.behaviours.set(unit, behaviour);
  }
  /** Sets up a unit as a package would: its file, enabled and running or not. */
  seed(unit: string, options: { text?: string; active?: boolean; enabled?: boolean } = {}): void {
    this.files.put(`/usr/lib/systemd/system/${unit}`, options.text ?? `[Service]\nExecStart=/usr/sbin/${unit}\n[Install]\nWantedBy=multi-user.target\n`);
    if (options.enabled) for (const link of this.links(unit)) this.files.place(link, { kind: 'link', target: `/usr/lib/systemd/system/${unit}` });
    if (!options.active) return;
    this.active.set(unit, { pid: ++this.pids, failed: false });
    this.take(unit);
  }
  /** The unit takes its settings as they are now. */
  private take(unit: string): void {
    const folders = settings[unit];
    if (!folders) return;
    const content = [...this.files.tree].filter(([path]) => folders.some((f) => path.startsWith(f))).sort(([a], [b]) => (a < b ? -1 : 1));
    this.seen.set(unit, memoryDigest(JSON.stringify(content.filter(([, node]) => node.kind !== 'directory'))));
  }
  /** Drops what a package brought. */
  unseed(unit: string): void {
    for (const link of this.links(unit)) this.files.takeAway(link);
    this.files.takeAway(`/usr/lib/systemd/system/${unit}`);
    this.active.delete(unit);
    this.seen.delete(unit);
  }
  path(unit: string): string | null {
    return folders.map((f) => `${f}/${unit}`).find((p) => this.files.tree.has(p)) ?? null;
  }
  /** After a reboot only what is enabled runs. */
  async reboot(): Promise<void> {
    const enabled = [...this.files.tree.keys()].filter((p) => /\.wants\/[^/]+$/.test(p)).map((p) => p.split('/').at(-1) ?? '');
    this.active.clear();
    for (const unit of enabled) await this.begin(unit);
  }

  async state(unit: string): Promise<UnitState> {
    const path = this.path(unit);
    const node = path ? this.files.tree.get(path) : undefined;
    const masked = node?.kind === 'link' && node.target === '/dev/null';
    const run = this.active.get(unit);
    const links = this.links(unit);
    return Promise.resolve({
      load: masked ? 'masked' : path ? 'loaded' : 'not-found',
      active: run ? (run.failed ? 'failed' : 'active') : 'inactive',
      enabled: masked ? 'masked' : !path ? 'unknown' : links.length === 0 ? 'static' : links.every((l) => this.files.tree.has(l)) ? 'enabled' : 'disabled',
      mainPid: run && !run.failed ? run.pid : null,
    });
  }
  start = (unit: string): Promise<void> =>
    this.effects.run(`units.start ${unit}`, async () => {
      const now = this.active.get(unit);
      if (!now || now.failed) await this.begin(unit);
    });
  stop = (unit: string): Promise<void> => this.effects.run(`units.stop ${unit}`, () => this.end(unit));
  restart = (unit: string): Promise<void> =>
    this.effects.run(`units.restart ${unit}`, async () => {
      await this.end(unit);
      await this.begin(unit);
    });
  reload = (unit: string): Promise<void> =>
    this.effects.run(`units.reload ${unit}`, () => {
      if (!this.active.has(unit)) throw this.failure('reload', unit, 'it is not running');
      this.take(unit);
    });
  enable = (unit: string): Promise<void> =>
    this.effects.run(`units.enable ${unit}`, () => {
      const path = this.need('enable', unit);
      for (const link of this.links(unit)) this.files.place(link, { kind: 'link', target: path });
    });
  disable = (unit: string): Promise<void> => this.effects.run(`units.disable ${unit}`, () => this.unlink(unit));
  mask = (unit: string): Promise<void> =>
    this.effects.run(`units.mask ${unit}`, () => this.files.place(`/etc/systemd/system/${unit}`, { kind: 'link', target: '/dev/null' }));
  unmask = (unit: string): Promise<void> =>
    this.effects.run(`units.unmask ${unit}`, () => {
      const node = this.files.tree.get(`/etc/systemd/system/${unit}`);
      if (node?.kind === 'link' && node.target === '/dev/null') this.files.place(`/etc/systemd/system/${unit}`, null);
    });
  daemonReload = (): Promise<void> => this.effects.run('units.daemonReload', () => undefined);
  log = (unit: string): Promise<string[]> => Promise.resolve([`${unit}: nothing of note`]);

  private need(verb: string, unit: string): string {
    const path = this.path(unit);
    if (path === null) throw this.failure(verb, unit, 'there is no such unit');
    return path;
  }
  private failure(verb: string, unit: string, why: string): TaskError {
    return new TaskError('unit-failed', `\`systemctl ${verb} ${unit}\` failed: ${why}`, { remedy: `read \`journalctl -u ${unit}\``, retry: true });
  }
  private async begin(unit: string): Promise<void> {
    const text = this.files.text(this.need('start', unit)) ?? '';
    this.active.set(unit, { pid: ++this.pids, failed: true });
    if (/^ExecStart=\/bin\/false$/m.test(text)) throw this.failure('start', unit, 'its program ended with exit status 1');
    await this.behaviours.get(unit)?.start?.();
    if (/^Type=oneshot$/m.test(text) && !/^RemainAfterExit=(yes|true)$/m.test(text)) this.active.delete(unit);
    else this.active.set(unit, { pid: this.pids, failed: false });
    this.take(unit);
  }
  private async end(unit: string): Promise<void> {
    if (!this.active.has(unit)) return;
    await this.behaviours.get(unit)?.stop?.();
    this.active.delete(unit);
    this.seen.delete(unit);
  }
  private links(unit: string): string[] {
    const text = this.files.text(this.path(unit) ?? '') ?? '';
    const wanted = [...text.matchAll(/^(WantedBy|RequiredBy)=(.*)$/gm)].flatMap((m) => (m[2] ?? '').trim().split(/\s+/).map((t) => `${t}.${m[1] === 'WantedBy' ? 'wants' : 'requires'}`)); // prettier-ignore
    return wanted.map((dir) => `/etc/systemd/system/${dir}/${unit}`);
  }
  private unlink(unit: string): void {
    for (const path of [...this.files.tree.keys()])
      if (/\.(wants|requires)\/[^/]+$/.test(path) && path.endsWith(`/${unit}`) && path.startsWith('/etc/')) this.files.takeAway(path); // systemctl drops an empty folder, too
  }
}
