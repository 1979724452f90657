import type { Facts } from '@strata/model';
import { taskNamed } from '../registry';
import { MemoryHost, nativeSamples, said, sampleImage, seedContainerd, tryTask } from '../testing';

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

  it('changes nothing where it adopts one, and refuses one that is too old', async () => {
    const host = fresh({});
    const found = host.snapshot();
    expect(await tryTask(install, { host }, { input: { ...input, foreign: 'adopt' } })).toMatchObject({
      outcome: 'satisfied',
      result: { findings: [{ code: 'runtime.adopted' }] },
    });
    expect(host.snapshot()).toEqual(found);
    const old = fresh({ version: '1.6.20~ds1-1+b1' });
    expect(await tryTask(install, { host: old }, { input: { ...input, foreign: 'adopt' } })).toMatchObject({
      outcome: 'refused',
      result: { findings: [{ code: 'runtime.old' }] },
    });
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
    expect(result.before).toEqual({ absent: [] });
    expect(host.imageStore.get(image.ref)).toEqual({ digest, pinned: true });
  });
  it('is unknown until containerd runs', async () => {
    const { result } = await tryTask(task, { host: new MemoryHost() }, { action: 'check', input: { images: [image] } });
    expect(result.reason).toContain('containerd runs');
  });
});
