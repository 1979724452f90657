import type { Facts } from '@strata/model';
import { servesByConfig } from '../facts/foreign-containerd';
import { taskNamed } from '../registry';
import { runtimePlace } from '../runtime-place';
import { MemoryHost, nativeSamples, said, sampleFile, sampleImage, seedContainerd, tryTask } from '../testing';

const install = taskNamed('containerd.install');
const containerd = nativeSamples.find((s) => s.task === 'containerd.install');
const input = containerd?.input as object;
function fresh(foreign?: Partial<Facts['containerRuntimes'][number]>): MemoryHost {
  const host = new MemoryHost();
  containerd?.prepare?.(host);
  if (foreign)
    host.baseFacts.containerRuntimes.push({
      kind: 'containerd',
      version: '2.1.0',
      package: 'containerd',
      unit: 'containerd.service',
      socket: '/run/containerd/containerd.sock',
      ours: false,
      ...foreign,
    });
  return host;
}
/** What containerd does to a machine when it starts: seen on a lab node. */
function startsAsReal(host: MemoryHost): void {
  host.units.behave('containerd.service', {
    start: () => {
      host.files.place('/var/lib/containerd', { kind: 'directory', mode: 0o700, uid: 0, gid: 0 });
      host.files.put('/var/lib/containerd/io.containerd.metadata.v1.bolt/meta.db', 'x');
      host.files.put('/run/containerd/containerd.sock', '');
      host.files.put('/run/nri/nri.sock', '');
      host.files.place('/etc/cni/net.d', { kind: 'directory', mode: 0o700, uid: 0, gid: 0 });
    },
  });
}

describe('containerd.install', () => {
  it.each([
    ['on a bare machine', (): void => undefined],
    ['where its folders were there', (host: MemoryHost): void => {
      host.files.place('/var/lib/containerd', { kind: 'directory', mode: 0o755, uid: 0, gid: 0 });
      host.files.put('/etc/cni/net.d/99-theirs.conf', '{}');
    }],
  ])('takes back what containerd made by itself, %s', async (_, prepare) => {
    const host = fresh();
    startsAsReal(host);
    prepare(host);
    const found = host.snapshot();
    const { result } = await tryTask(install, { host }, { input });
    host.files.put('/etc/cni/net.d/10-flannel.conflist', '{}'); // a pod wrote it
    await tryTask(install, { host }, { action: 'undo', input, before: result.before });
    expect(host.snapshot()).toEqual(found);
  }); // prettier-ignore

  it('stops with every process in it, also a shim that is in no list', async () => {
    const host = fresh();
    let atStop = '';
    host.units.behave('containerd.service', { stop: () => void (atStop = host.files.text('/etc/systemd/system/containerd.service') ?? '') });
    const { result } = await tryTask(install, { host }, { input });
    await tryTask(install, { host }, { action: 'undo', input, before: result.before });
    expect(atStop).toContain('KillMode=control-group');
    expect(host.files.text('/etc/systemd/system/containerd.service')).toBeNull();
  });
  it('ends what still runs before it goes', async () => {
    const host = fresh();
    const { result } = await tryTask(install, { host }, { input });
    const ended: string[] = [];
    host.program('ctr', (argv) => {
      if (argv.includes('list')) return said('p1\np2\n');
      if (argv.includes('delete')) ended.push(argv.at(-1) ?? '');
      return said();
    });
    await tryTask(install, { host }, { action: 'undo', input, before: result.before });
    expect(ended).toEqual(['p1', 'p2']);
  });

  it('refuses a foreign containerd and names its package and unit', async () => {
    const host = fresh({});
    const { outcome, result } = await tryTask(install, { host }, { input });
    expect(outcome).toBe('refused');
    expect(result.failure?.message).toMatch(/containerd, 2\.1\.0, package containerd, unit containerd\.service/);
  });

  it('changes nothing where it adopts one that serves Kubernetes', async () => {
    const host = fresh({ cri: true });
    const found = host.snapshot();
    const adopt = { ...input, foreign: 'adopt', place: 'adopted' };
    expect(await tryTask(install, { host }, { input: adopt })).toMatchObject({ outcome: 'satisfied', result: { findings: [{ code: 'runtime.adopted' }] } });
    expect(host.snapshot()).toEqual(found);
    const old = fresh({ version: '1.6.20~ds1-1+b1', cri: true });
    expect(await tryTask(install, { host: old }, { input: adopt })).toMatchObject({ outcome: 'refused', result: { findings: [{ code: 'runtime.gone' }] } });
  });
  it("never writes over somebody else's containerd that came after the plan", async () => {
    const host = fresh({});
    const found = host.snapshot();
    expect(await tryTask(install, { host }, { input: { ...input, foreign: 'adopt' } })).toMatchObject({
      outcome: 'refused',
      result: { findings: [{ code: 'runtime.appeared' }] },
    });
    expect(host.snapshot()).toEqual(found);
  });

  describe("beside somebody else's", () => {
    const beside = { ...input, foreign: 'adopt', place: 'beside' };
    /** Docker with its containerd and runc, and podman's network. */
    function occupied(): MemoryHost {
      const host = fresh({ version: '1.6.20~ds1-1+b1', cri: false });
      for (const path of ['/usr/bin/containerd', '/usr/bin/runc', '/usr/bin/ctr', '/run/containerd/containerd.sock']) host.files.put(path, 'theirs');
      host.files.put('/etc/containerd/config.toml', 'disabled_plugins = ["cri"]\n');
      host.files.put('/etc/cni/net.d/87-podman.conflist', '{}');
      host.units.seed('containerd.service', { active: true, enabled: true });
      host.units.behave('strata-containerd.service', {
        start: () => {
          for (const path of [
            '/var/lib/strata/containerd/meta.db',
            '/run/strata/containerd/containerd.sock',
            '/run/strata/nri/nri.sock',
            '/opt/strata/runtime/opt/bin/x',
          ])
            host.files.put(path, 'ours');
        },
      });
      return host;
    }
    const theirs = ['/usr/bin/', '/usr/local/', '/etc/containerd', '/run/containerd', '/etc/cni/net.d', '/usr/lib/systemd'];
    const filesOf = (host: MemoryHost): [string, unknown][] => [...host.files.tree].filter(([path]) => theirs.some((t) => path.startsWith(t)));

    it('touches nothing of theirs, and gives back the machine', async () => {
      const host = occupied();
      const [found, foreign] = [host.snapshot(), structuredClone(filesOf(host))];
      const { outcome, result } = await tryTask(install, { host }, { input: beside });
      expect([outcome, result.output]).toEqual(['changed', { socket: '/run/strata/containerd/containerd.sock' }]);
      expect(filesOf(host)).toEqual(foreign);
      expect([...host.units.active.keys()]).toEqual(expect.arrayContaining(['containerd.service', 'strata-containerd.service']));
      expect(runtimePlace(await host.facts('containerRuntimes'))).toBe('beside');
      host.files.put('/etc/cni/strata.d/10-flannel.conflist', '{}');
      // a later look at the machine thinks otherwise: what was found before decides
      await tryTask(install, { host }, { action: 'undo', input, before: result.before });
      expect(host.snapshot()).toEqual(found);
    });
    it("leaves crictl's settings alone where they are somebody else's", async () => {
      const host = occupied();
      host.files.put('/etc/crictl.yaml', 'runtime-endpoint: unix:///run/containerd/containerd.sock\n');
      expect((await tryTask(install, { host }, { input: beside })).outcome).toBe('changed');
      expect(host.files.text('/etc/crictl.yaml')).toContain('unix:///run/containerd/containerd.sock');
    });
    it('is where nobody finds its runc by chance', async () => {
      const host = occupied();
      host.files.blobs.add(sampleFile('runc').blob.sha256);
      await tryTask(taskNamed('runc.install'), { host }, { input: { artifact: sampleFile('runc'), place: 'beside' } });
      expect([...host.files.tree.keys()].filter((path) => path.endsWith('/runc'))).toEqual(['/usr/bin/runc', '/opt/strata/runtime/bin/runc']);
    });
  });
});

describe('where the runtime is', () => {
  const at = (kind: string, more: Partial<Facts['containerRuntimes'][number]> = {}): Facts['containerRuntimes'][number] => ({
    kind, version: null, package: kind, unit: `${kind}.service`, socket: kind === 'containerd' ? '/run/containerd/containerd.sock' : null, ours: false, ...more,
  }); // prettier-ignore
  it.each([
    ['a bare machine', [], 'own'],
    ['ours alone', [at('containerd', { ours: true })], 'own'],
    ['Docker with a containerd whose CRI is off', [at('docker'), at('containerd', { version: '2.1.4', cri: false })], 'beside'],
    ["Debian's containerd", [at('containerd', { version: '1.6.20~ds1-1+b1', cri: true })], 'beside'],
    ['a containerd that serves', [at('containerd', { version: '2.1.4', cri: true })], 'adopted'],
    ['podman', [at('podman')], 'beside'],
    ['ours beside one that would serve by now', [at('containerd', { version: '2.1.4', cri: true }), at('containerd', { ours: true, unit: 'strata-containerd.service' })], 'beside'],
    ['ours, and a Docker that came later', [at('containerd', { ours: true }), at('docker')], 'own'],
  ] as const)('%s', (_, containerRuntimes, place) => {
    expect(runtimePlace({ containerRuntimes: [...containerRuntimes] })).toBe(place);
  }); // prettier-ignore
  it.each([
    ["Docker's package", 'version = 2\ndisabled_plugins = ["cri"]\n  bin_dir = "/opt/cni/bin"\n conf_dir = "/etc/cni/net.d"\n', false],
    ["Debian's, with plugins elsewhere", 'disabled_plugins = []\n  bin_dir = "/usr/lib/cni"\n conf_dir = "/etc/cni/net.d"\n', false],
    ["containerd 2's own", "version = 3\ndisabled_plugins = []\n  bin_dirs = ['/opt/cni/bin']\n conf_dir = '/etc/cni/net.d'\n", true],
    ['one that says nothing', '', false],
  ])('a containerd serves by its settings: %s', (_, dump, serves) => {
    expect(servesByConfig(dump)).toBe(serves);
  });
});

describe('images.import', () => {
  const task = taskNamed('images.import');
  const image = sampleImage('web');
  const digest = `sha256:${image.blobs[0]?.sha256 ?? ''}`;
  async function imported(): Promise<{ host: MemoryHost; before: unknown }> {
    const host = new MemoryHost();
    seedContainerd(host);
    const { result } = await tryTask(task, { host }, { input: { images: [image] } });
    host.imageStore.set('sha256:1c73', { digest, pinned: true }); // containerd's own name for the same image
    return { host, before: result.before };
  }

  it('takes back the name that containerd gave the image, too', async () => {
    const { host, before } = await imported();
    await tryTask(task, { host }, { action: 'undo', input: { images: [image] }, before });
    expect([...host.imageStore.keys()]).toEqual([]);
  });
  it("leaves that name where somebody else's image needs it", async () => {
    const { host, before } = await imported();
    host.imageStore.set('docker.io/library/web:1', { digest, pinned: false });
    await tryTask(task, { host }, { action: 'undo', input: { images: [image] }, before });
    expect([...host.imageStore.keys()]).toEqual(['sha256:1c73', 'docker.io/library/web:1']);
  });
  it('imports an image anew whose name leads to other content', async () => {
    const host = new MemoryHost();
    seedContainerd(host);
    host.imageStore.set(image.ref, { digest: 'sha256:other', pinned: true });
    const { result } = await tryTask(task, { host }, { input: { images: [image] } });
    expect(result.before).toMatchObject({ absent: [] });
    expect(host.imageStore.get(image.ref)).toEqual({ digest, pinned: true });
  });
  it('is unknown until containerd runs', async () => {
    const { result } = await tryTask(task, { host: new MemoryHost() }, { action: 'check', input: { images: [image] } });
    expect(result.reason).toContain('containerd runs');
  });
});
