import { taskNamed } from '../registry';
import { MemoryCluster, MemoryHost, memoryJournal, said, tryTask } from '../testing';
import type { KubeObject } from '../ports/cluster';

const path = '/strata/rootfs';
const aside = `${path}.before-migration`;
const side = '/var/lib/strata-view';
const run = 'run-1';
const folder = { kind: 'directory', mode: 0o755, uid: 0, gid: 0 } as const;
const shared = (at: string): { path: string; device: string; type: string; options: string[] } => ({
  path: at,
  device: 'JuiceFS:strata-home',
  type: 'fuse.juicefs',
  options: [],
});

/** A machine with a tree and the shared one beside it; rsync takes the tree as it is, and deletes the rest. */
function machine(): MemoryHost {
  const host = new MemoryHost();
  host.files.put(`${path}/common/mine`, 'x');
  host.files.place(side, folder);
  host.mounted.push(shared(side));
  const below = (root: string): string[] => [...host.files.tree.keys()].filter((p) => p.startsWith(`${root}/`));
  host.program('find', (argv) => !host.files.tree.has(argv[1] ?? '') ? said('', 1, `find: '${argv[1]}': No such file or directory`) : said(host.files.names(argv[1] ?? '').map((n) => `${n}\0`).join(''))); // prettier-ignore
  host.program('rsync', (argv) => {
    const [from = '', to = ''] = argv.slice(-2).map((p) => p.replace(/\/$/, ''));
    for (const p of below(to)) if (!/^\/\.(strata|nodes|trash)/.test(p.slice(to.length))) host.files.place(p, null);
    for (const p of below(from)) host.files.place(to + p.slice(from.length), host.files.tree.get(p) ?? null);
    return said();
  });
  host.program('mv', (argv) => {
    const [from = '', to = ''] = argv.slice(-2);
    for (const p of [from, ...below(from)]) {
      host.files.place(to + p.slice(from.length), host.files.tree.get(p) ?? null);
      host.files.place(p, null);
    }
    return said();
  });
  host.program('du', (argv) => said(argv.includes('--inodes') ? '3\t/x' : '4096\t/x'));
  host.program('rm', (argv) => {
    for (const p of [argv.at(-1) ?? '', ...below(argv.at(-1) ?? '')]) host.files.place(p, null);
    return said();
  });
  return host;
}
type Tried = Awaited<ReturnType<typeof tryTask>>;
const ask = (host: MemoryHost, task: string, { more, ...input }: Record<string, unknown> & { more?: object }): Promise<Tried> =>
  tryTask(taskNamed(task), { host }, { input, ...more });
const copy = (host: MemoryHost, pass: string, more: object = {}): Promise<Tried> =>
  ask(host, 'tree.copy', { path, node: 'n1', source: true, run, pass, ...more });

describe('migration.look', () => {
  it.each([
    ['an empty tree', (h: MemoryHost) => h.files.place(`${path}/common/mine`, null), /holds nothing/],
    ['a disk of its own', (h: MemoryHost) => void h.mounted.push({ path, device: '/dev/sdb1', type: 'ext4', options: [] }), /is a mount of its own/],
    ['a tree that an earlier one set aside', (h: MemoryHost) => h.files.place(aside, folder), /neither committed nor rolled back/],
    ['names that the shared tree needs', (h: MemoryHost) => h.files.put(`${path}/.nodes/x`, ''), /holds \.nodes/],
  ])('refuses %s', async (_, prepare, says) => {
    const host = machine();
    prepare(host);
    const { outcome, result } = await ask(host, 'migration.look', { path, source: true });
    expect([outcome, result.failure?.message]).toEqual(['refused', expect.stringMatching(says)]);
  });
  it('measures what has to go, and another node may have nothing', async () => {
    expect((await ask(machine(), 'migration.look', { path, source: true })).result.output).toEqual({ bytes: 4096, files: 3 });
    expect((await ask(new MemoryHost(), 'migration.look', { path, source: false })).result.output).toEqual({ bytes: 0, files: 0 });
  });
  it('says where the room ends', async () => {
    const host = machine();
    const look = (bytes: number, files: number): Promise<Tried> =>
      ask(host, 'migration.room', { trees: [{ bytes, files }], objects: 'seaweedfs', memoryMiB: 64 });
    expect((await look(1e18, 1)).result.failure?.message).toMatch(/the disk of the objects has/);
    expect((await look(1, 1e6)).result.failure?.message).toMatch(/more than 70 % of 64 MiB/);
    expect((await look(1, 1)).outcome).toBe('satisfied');
  });
});

describe('tree.copy', () => {
  it('copies once in each pass of a run, and again in the next run', async () => {
    const host = machine();
    expect([(await copy(host, 'first')).outcome, (await copy(host, 'first')).outcome]).toEqual(['changed', 'satisfied']);
    expect(host.files.text(`${side}/common/mine`)).toBe('x');
    expect((await copy(host, 'first', { run: 'run-2' })).outcome).toBe('changed');
  });
  it('never empties the shared tree from an empty one', async () => {
    const host = machine();
    await copy(host, 'first');
    for (const p of [`${path}/common/mine`, `${path}/common`]) host.files.place(p, null);
    expect((await copy(host, 'second')).result.failure).toMatchObject({ code: 'empty-source' });
    expect(host.files.text(`${side}/common/mine`)).toBe('x');
  });
  it('never copies the shared tree, or what took the place of the old one, over itself', async () => {
    const host = machine();
    host.mounted.push(shared(path));
    expect((await copy(host, 'first')).result.failure).toMatchObject({ code: 'not-own' });
    host.mounted.pop();
    host.files.place(aside, folder);
    expect((await copy(host, 'first')).result.failure).toMatchObject({ code: 'cut-over' });
    host.mounted.splice(0);
    expect((await copy(machine(), 'first')).outcome).toBe('changed');
    expect((await copy(host, 'first')).result.failure).toMatchObject({ code: 'not-shared' });
  });
  it('takes files that vanish as what they are while others write, and as a fault when nobody should', async () => {
    const host = machine();
    host.program('rsync', () => said('', 24, 'file has vanished'));
    expect((await copy(host, 'first')).outcome).toBe('changed');
    expect((await copy(host, 'last')).result.failure).toMatchObject({ code: 'copy-failed' });
  });
  it('puts the tree of another node below its name, if it has one', async () => {
    const host = machine();
    await copy(host, 'first', { node: 'n2', source: false });
    expect(host.files.text(`${side}/.nodes/n2/common/mine`)).toBe('x');
  });
  it('goes back only into a tree that was found equal: else the old one is the only whole one', async () => {
    const host = machine();
    host.files.place(aside, folder);
    host.mounted.push(shared(path));
    expect((await copy(host, 'back')).outcome).toBe('satisfied');
    expect(host.files.text(`${aside}/common/mine`)).toBeNull();
    host.files.put('/var/lib/strata/notes/migration.json', JSON.stringify({ passes: [], verified: { sha256: 'a', entries: 1 } }));
    expect((await copy(host, 'back')).outcome).toBe('changed');
    expect(host.files.text(`${aside}/common/mine`)).toBe('x');
    expect((await copy(host, 'back', { node: 'n2', source: false })).outcome).toBe('satisfied'); // it had nothing that could come back
  });
});

describe('tree.aside', () => {
  it.each(['before', 'after'] as const)('ends well when the agent dies %s any change, and gives the tree back', async (when) => {
    for (let n = 1; n <= 2; n++) {
      const host = machine();
      const journal = memoryJournal();
      host.effects.failAt(n, when);
      await ask(host, 'tree.aside', { path, more: { journal } });
      host.effects.heal();
      await ask(host, 'tree.aside', { path, more: { journal } });
      expect([host.files.text(`${aside}/common/mine`), host.files.text(`${path}/common/mine`)]).toEqual(['x', null]);
      await ask(host, 'tree.aside', { path, more: { action: 'undo', before: journal.value } });
      expect([host.files.text(`${aside}/common/mine`), host.files.text(`${path}/common/mine`)]).toEqual([null, 'x']);
    }
  });
  it('comes back to an empty folder only', async () => {
    const host = machine();
    await ask(host, 'tree.aside', { path });
    host.files.put(`${path}/new`, 'y');
    expect((await ask(host, 'tree.back', { path })).result.failure).toMatchObject({ code: 'not-empty' });
    host.files.place(`${path}/new`, null);
    expect((await ask(host, 'tree.back', { path })).outcome).toBe('changed');
    expect(host.files.text(`${path}/common/mine`)).toBe('x');
  });
  it('is deleted when it was found equal, and not before', async () => {
    const host = machine();
    await ask(host, 'tree.aside', { path });
    host.mounted.push(shared(path));
    host.files.place(path, folder);
    expect((await ask(host, 'migration.may-end', { path, node: 'n1' })).result.failure?.message).toMatch(/has not found its old and the new tree equal/);
    host.files.put('/var/lib/strata/notes/migration.json', JSON.stringify({ passes: [], verified: { sha256: 'a', entries: 1 } }));
    expect((await ask(host, 'migration.may-end', { path, node: 'n1' })).outcome).toBe('satisfied');
    expect((await ask(host, 'tree.drop', { path })).outcome).toBe('changed');
    expect(host.files.text(`${aside}/common/mine`)).toBeNull();
  });
});

describe('workloads', () => {
  const volumes = [{ name: 'data', hostPath: { path: `${path}/common` } }];
  const deployment = (name: string, replicas: number): KubeObject => ({
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace: 'default' }, spec: { replicas, template: { spec: { volumes } } },
  }); // prettier-ignore
  const pod = (name: string, owner?: object): KubeObject => ({
    apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', ...(owner ? { ownerReferences: [{ ...owner, controller: true }] } : {}) }, spec: { volumes }, status: { phase: 'Running' },
  }); // prettier-ignore
  const cluster = async (...objects: KubeObject[]): Promise<MemoryCluster> => {
    const made = new MemoryCluster();
    made.up = () => true;
    await made.apply(objects);
    return made;
  };
  const freeze = (of: MemoryCluster, stop = true): Promise<Tried> => tryTask(taskNamed('tree.freeze'), { cluster: of }, { input: { path, stop } });
  const replicas = async (of: MemoryCluster, name: string): Promise<unknown> =>
    ((await of.get({ apiVersion: 'apps/v1', kind: 'Deployment', name, namespace: 'default' }))?.spec as { replicas: number }).replicas;

  it('stand still, and run again as many as they were', async () => {
    const of = await cluster(deployment('web', 3), deployment('none', 0));
    expect([(await freeze(of)).outcome, (await freeze(of)).outcome]).toEqual(['changed', 'satisfied']);
    expect([await replicas(of, 'web'), await replicas(of, 'none')]).toEqual([0, 0]);
    const thaw = (): Promise<Tried> => tryTask(taskNamed('tree.thaw'), { cluster: of }, { input: { path } });
    expect([(await thaw()).outcome, (await thaw()).outcome]).toEqual(['changed', 'satisfied']);
    expect([await replicas(of, 'web'), await replicas(of, 'none')]).toEqual([3, 0]);
  });
  it.each([[undefined, 'Pod default/alone'], [{ kind: 'DaemonSet', name: 'logs' }, 'DaemonSet default/logs'], [{ kind: 'Job', name: 'once' }, 'Job default/once']])('that cannot be scaled are named ahead of anything (%o)', async (owner, name) => {
    const of = await cluster(pod('alone', owner));
    expect((await freeze(of, false)).result.failure?.message).toBe(`${name} use ${path} and cannot be scaled to none`);
  }); // prettier-ignore
  it('that mount the whole machine or something else are let be', async () => {
    const other = pod('other');
    (other.spec as { volumes: object[] }).volumes = [{ hostPath: { path: '/' } }, { hostPath: { path: `${path}-2` } }];
    expect((await freeze(await cluster(other))).outcome).toBe('satisfied');
  });
});
