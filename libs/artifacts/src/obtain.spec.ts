import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { loadCatalog } from './catalog';
import { ObtainError } from './failure';
import { obtainArtifact, type ObtainOptions } from './obtain';
import { obtainAll, type PrepareProgress } from './prepare';
import { ArtifactStore } from './store';
import { files, listen } from './testing/file-server';

const catalogDir = resolve(__dirname, '../../../catalog');
const sha = (b: Buffer): string => createHash('sha256').update(b).digest('hex');
const kubeadm = randomBytes(300_000);
const k3s = randomBytes(1000);
let dir: string;
let store: ArtifactStore;
let close: (() => Promise<void>)[];

/** The vendors' layouts below one loopback server: `/<host>/<path>`. */
async function vendor(content: Record<string, Buffer>, asked: string[] = [], cutAfter?: number): Promise<(url: string) => string> {
  const server = await listen(files(content, asked, cutAfter));
  close.push(server.close);
  return (url) => url.replace(/^https:\/\//, `${server.url}/`);
}
const layout = (): Record<string, Buffer> => ({
  '/dl.k8s.io/release/v1.37.2/bin/linux/amd64/kubeadm': kubeadm,
  '/dl.k8s.io/release/v1.37.2/bin/linux/amd64/kubeadm.sha256': Buffer.from(sha(kubeadm)),
  '/github.com/k3s-io/k3s/releases/download/v1.34.4+k3s1/k3s': k3s,
  '/github.com/k3s-io/k3s/releases/download/v1.34.4+k3s1/sha256sum-amd64.txt': Buffer.from(
    `${'0'.repeat(64)}  k3s-airgap-images-amd64.tar\n${sha(k3s)}  k3s\n`,
  ),
});
async function entry(name: string, version: string) {
  const found = (await loadCatalog(catalogDir, store)).entries.find((e) => e.name === name && e.version === version);
  if (!found) throw new Error(`no ${name}`);
  return found;
}
/** Without its recipe: a failure must not start a build. */
async function vendorOnly(name: string, version: string) {
  const found = await entry(name, version);
  return { ...found, sources: found.sources.filter((s) => s.from === 'url') };
}
const options = (more: Partial<ObtainOptions> = {}): ObtainOptions => ({ store, catalogDir, progress: () => undefined, ...more });

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'obtain-'));
  store = new ArtifactStore(join(dir, 'store'));
  close = [];
});
afterEach(async () => {
  await Promise.all(close.map((c) => c()));
  await rm(dir, { recursive: true });
});

describe('obtainArtifact from the vendor', () => {
  it('takes the file by the vendor’s checksum, resumes a broken transfer, and asks nobody the second time', async () => {
    const asked: string[] = [];
    const urlRewrite = await vendor(layout(), asked, 120_000);
    const wanted = await vendorOnly('kubeadm', '1.37.2');
    const artifact = await obtainArtifact(wanted, options({ urlRewrite }));
    expect(artifact).toEqual({ kind: 'file', name: 'kubeadm', version: '1.37.2', blob: { sha256: sha(kubeadm), size: kubeadm.length } });
    const path = '/dl.k8s.io/release/v1.37.2/bin/linux/amd64/kubeadm';
    expect(asked).toEqual([`${path}.sha256`, path, `${path} bytes=120000-`, `${path} bytes=240000-`]);
    expect(await obtainArtifact(wanted, options({ urlRewrite }))).toEqual(artifact);
    expect(asked).toHaveLength(4);
  });

  it('locks the digest: other bytes under the same address are refused, even with a matching checksum file', async () => {
    const wanted = await vendorOnly('kubeadm', '1.37.2');
    await obtainArtifact(wanted, options({ urlRewrite: await vendor(layout()) }));
    await rm(store.blobPath(sha(kubeadm)));
    const other = Buffer.from('something else');
    const path = '/dl.k8s.io/release/v1.37.2/bin/linux/amd64/kubeadm';
    const urlRewrite = await vendor({ [path]: other, [`${path}.sha256`]: Buffer.from(sha(other)) });
    await expect(obtainArtifact(wanted, options({ urlRewrite }))).rejects.toThrow(`sha256 ${sha(other)}, expected ${sha(kubeadm)}`);
  });

  it('reads a checksum file of many names, as K3s has it', async () => {
    const artifact = await obtainArtifact(await entry('k3s', '1.34.4+k3s1'), options({ urlRewrite: await vendor(layout()) }));
    expect(artifact.kind === 'file' && artifact.blob.sha256).toBe(sha(k3s));
  });

  it('takes the program out of the vendor’s archive, as Helm has it', async () => {
    await mkdir(join(dir, 'linux-amd64'));
    await writeFile(join(dir, 'linux-amd64', 'helm'), k3s);
    execFileSync('tar', ['-czf', join(dir, 'helm.tgz'), '-C', dir, 'linux-amd64']);
    const tgz = await readFile(join(dir, 'helm.tgz'));
    const file = 'helm-v3.22.0-linux-amd64.tar.gz';
    const urlRewrite = await vendor({ [`/get.helm.sh/${file}`]: tgz, [`/get.helm.sh/${file}.sha256sum`]: Buffer.from(`${sha(tgz)}  ${file}\n`) });
    expect(await obtainArtifact(await vendorOnly('helm', '3.22.0'), options({ urlRewrite }))).toMatchObject({ blob: { sha256: sha(k3s), size: 1000 } });
  });

  it('says every reason and every remedy when nothing works, and pays for an unreachable host once', async () => {
    const notes: string[] = [];
    const wanted = await vendorOnly('kubelet', '1.37.2');
    const more = {
      urlRewrite: (url: string) => url.replace(/^https:\/\/[^/]+/, 'http://127.0.0.1:9'),
      mirrorDirs: [join(dir, 'mirror')],
      progress: (p: { note: string }) => notes.push(p.note),
    };
    const failure = await obtainArtifact(wanted, options(more)).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(ObtainError);
    expect(String(failure)).toMatch(
      /mirror .*does not have it[^]*127\.0\.0\.1:9 cannot be reached: connect ECONNREFUSED[^]*let this machine reach dl\.k8s\.io[^]*mirror folder[^]*no package registry/,
    );
    await expect(obtainArtifact(wanted, options(more))).rejects.toThrow('could not be reached a moment ago');
  });

  it('takes no unverified bytes and no unofficial recipe unasked', async () => {
    const wanted = await vendorOnly('kubeadm', '1.37.2');
    const bare = wanted.sources.map((s) => ({ ...s, checksums: undefined }));
    await expect(obtainArtifact({ ...wanted, sources: bare }, options())).rejects.toThrow('refusing to take unverified bytes');
    const unofficial = { from: 'recipe' as const, recipe: 'pause', publisher: 'someone', unofficial: true };
    await expect(obtainArtifact({ ...wanted, sources: [unofficial] }, options())).rejects.toThrow(
      /recipe pause: its publisher is not the vendor \(someone\), and spec\.artifacts\.allowUnofficial is not true[^]*set spec\.artifacts\.allowUnofficial: true/,
    );
  });
});

describe('obtainArtifact from a mirror folder', () => {
  it('copies from another machine’s store, and refuses what is damaged there', async () => {
    const other = new ArtifactStore(join(dir, 'other'));
    const wanted = await vendorOnly('kubeadm', '1.37.2');
    await obtainArtifact(wanted, options({ store: other, urlRewrite: await vendor(layout()) }));
    const mirror = options({ mirrorDirs: [other.dir], urlRewrite: () => 'http://127.0.0.1:9/' });
    const artifact = await obtainArtifact(wanted, mirror);
    expect(await store.obtained(wanted)).toEqual(artifact);
    await rm(store.dir, { recursive: true });
    await writeFile(other.blobPath(sha(kubeadm)), Buffer.alloc(kubeadm.length));
    await expect(obtainArtifact(wanted, mirror)).rejects.toThrow(`expected ${sha(kubeadm)}`);
  });

  it('takes a file with its checksum beside it, and not without', async () => {
    await mkdir(join(dir, 'm'));
    await writeFile(join(dir, 'm', 'k3s'), k3s);
    const wanted = { ...(await entry('k3s', '1.34.4+k3s1')), sources: [{ from: 'mirror' as const, path: 'k3s' }] };
    await expect(obtainArtifact(wanted, options({ mirrorDirs: [join(dir, 'm')] }))).rejects.toThrow('no k3s.sha256 beside it');
    await writeFile(join(dir, 'm', 'k3s.sha256'), `${sha(k3s)}  k3s\n`);
    expect(await obtainArtifact(wanted, options({ mirrorDirs: [join(dir, 'm')] }))).toMatchObject({ blob: { sha256: sha(k3s) } });
  });
});

describe('obtainAll', () => {
  it('obtains one after another with an overall progress', async () => {
    const seen: PrepareProgress[] = [];
    const entries = [await vendorOnly('kubeadm', '1.37.2'), await entry('k3s', '1.34.4+k3s1')];
    const artifacts = await obtainAll(entries, { ...options({ urlRewrite: await vendor(layout()) }), progress: (p) => seen.push(p) });
    expect(artifacts.map((a) => a.name)).toEqual(['kubeadm', 'k3s']);
    expect(seen.filter((p) => p.state === 'ready').map((p) => [p.artifact, p.index, p.count, p.bytes])).toEqual([
      ['kubeadm@1.37.2', 1, 2, 300_000],
      ['k3s@1.34.4+k3s1', 2, 2, 1000],
    ]);
  });
});
