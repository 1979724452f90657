import { ClusterSpec, type ClusterSpecInput, KeptClusterSpec } from './cluster-spec';
import { sharedStorage, storagePartsOn, withSwitchedMetadata } from './storage';
import { metadataParts } from './storage-metadata';

const specOf = (storage: ClusterSpecInput['spec']['storage']): ReturnType<typeof ClusterSpec.safeParse> =>
  ClusterSpec.safeParse({
    apiVersion: 'strata/v1',
    kind: 'Cluster',
    metadata: { name: 'home' },
    spec: {
      nodes: [
        { name: 'n1', address: '10.0.0.11', role: 'control-plane', ssh: {} },
        { name: 'n2', address: '10.0.0.12', ssh: {} },
        { name: 'n3', join: 'token', nat: true },
      ],
      storage,
    },
  });
const good = (storage: ClusterSpecInput['spec']['storage']): ClusterSpec['spec'] => specOf(storage).data?.spec as ClusterSpec['spec'];

const theirs = 'postgres://strata@db.example:5432/strata';
const external = (more: object): ClusterSpecInput['spec']['storage'] => ({
  kind: 'juicefs',
  metadata: { kind: 'external', url: theirs, passwordFrom: 'env:P', ...more },
});

it('is local and shared by nobody unless the spec says otherwise', () => {
  expect(good(undefined).storage).toEqual({ kind: 'local', path: '/strata/rootfs' });
  expect(sharedStorage(good({}))).toBeNull();
});
it('has every default, and its services on the control plane', () => {
  expect(sharedStorage(good({ kind: 'juicefs' }))).toEqual({
    path: '/strata/rootfs',
    cache: { path: '/var/cache/strata/juicefs', sizeMiB: 10_240, freeRatio: 0.25 },
    metadata: { kind: 'redis', node: 'n1', replica: null, maxMemoryMiB: 1024 },
    objects: { kind: 'seaweedfs', node: 'n1' },
  });
});
it('runs each service where it was put', () => {
  const spec = good({ kind: 'juicefs', objects: { node: 'n2' } });
  expect([storagePartsOn(spec, 'n1'), storagePartsOn(spec, 'n2'), storagePartsOn(spec, 'n3')]).toEqual([['metadata'], ['seaweedfs'], []]);
});
it('has metadata on no node where somebody else runs them, with any kind of objects', () => {
  const spec = good({ ...external({}), objects: { kind: 'minio', node: 'n2' } });
  expect(sharedStorage(spec)?.metadata).toEqual({ kind: 'external', node: null, replica: null, place: { url: theirs } });
  expect(['n1', 'n2', 'n3'].map((n) => storagePartsOn(spec, n))).toEqual([[], ['minio'], []]);
});
it('knows the parts of such a URL', () => {
  expect(metadataParts(theirs)).toEqual({ engine: 'postgres', user: 'strata', host: 'db.example', port: 5432, database: 'strata' });
  expect(metadataParts('rediss://default@10.0.0.9/1')).toEqual({ engine: 'redis', user: 'default', host: '10.0.0.9', port: 6379, database: '1' });
  expect(() => metadataParts('mysql://a@b/c')).toThrow(/must look like/);
});
it.each([
  ['parts of juicefs beside local', { cache: {} }, /belongs to `kind: juicefs`/],
  ['a node that is not there', { kind: 'juicefs' as const, metadata: { node: 'n9' } }, /no node n9/],
  ['a node behind a NAT', { kind: 'juicefs' as const, objects: { node: 'n3' } }, /behind a NAT/],
  ['a path that a unit cannot hold', { kind: 'juicefs' as const, path: '/with a space' }, /must be an absolute one of letters/],
  [
    'a bucket that is not named',
    { kind: 'juicefs' as const, objects: { kind: 's3' as const, endpoint: 'https://s3.example' } },
    /`kind: s3` needs `bucket`[^]*`accessKeyFrom`[^]*`secretKeyFrom`/,
  ],
  ['a bucket on a node', { kind: 'juicefs' as const, objects: { kind: 's3' as const, node: 'n2' } }, /runs on no node/],
  ['a bucket beside a store of ours', { kind: 'juicefs' as const, objects: { bucket: 'ours' } }, /`bucket` belongs to `kind: s3`/],
  ['a bucket without TLS', { kind: 'juicefs' as const, objects: { kind: 's3' as const, endpoint: 'http://s3.example' } }, /must look like https/],
  [
    'a password in an endpoint',
    { kind: 'juicefs' as const, objects: { kind: 's3' as const, endpoint: 'https://a:b@s3.example' } },
    /without a path, user or password/,
  ],
  [
    'metadata of somebody else that are not named',
    { kind: 'juicefs' as const, metadata: { kind: 'external' as const } },
    /`kind: external` needs `url`[^]*`passwordFrom`/,
  ],
  [
    'metadata of somebody else on a node',
    external({ node: 'n2', replica: 'n1', maxMemoryMiB: 64 }),
    /`node` belongs to `kind: redis`[^]*`replica`[^]*`maxMemoryMiB`/,
  ],
  ['a URL beside metadata of ours', { kind: 'juicefs' as const, metadata: { url: theirs } }, /`url` belongs to `kind: external`: set that, or leave it out/],
  ['a password in a URL', external({ url: 'postgres://strata:secret@db.example/strata' }), /must hold no password[^]*passwordFrom/],
  ['an @ in a password', external({ url: 'rediss://strata:p@ss@meta.example/1' }), /must hold no password/],
  ['a Redis without TLS', external({ url: 'redis://strata@meta.example:6379/1' }), /must be used over TLS: rediss:/],
  ['a TLS that is not verified', external({ url: 'postgres://strata@db.example/strata?sslmode=disable' }), /must hold no parameters/],
  ['a database that is not named', external({ url: 'postgres://strata@db.example' }), /must look like postgres:/],
  ['a Redis with a name instead of a number', external({ url: 'rediss://strata@meta.example/strata' }), /must look like/],
  ['several Redis', external({ url: 'rediss://strata@one,two,three/1' }), /must look like/],
  ['the root', { kind: 'juicefs' as const, path: '/' }, /must be an absolute one/],
  ['a tree on the system', { path: '/etc' }, /\/etc is a folder of the system: choose one for data alone/],
  ['a tree that is the root', { path: '/' }, /\/ holds \/bin, a folder of the system/],
  ['a tree that has a whole part of the system', { path: '/var//lib/' }, /\/var\/lib holds \/var\/lib\/apt/],
  ['a tree within what kubelet has', { kind: 'juicefs' as const, path: '/var/lib/kubelet/x' }, /within \/var\/lib\/kubelet, a folder of Kubernetes/],
  ['a tree within our own', { kind: 'juicefs' as const, path: '/var/lib/strata-metadata/x' }, /within \/var\/lib\/strata-metadata, a folder of Strata/],
  [
    'a cache in a folder of the runtime',
    { kind: 'juicefs' as const, cache: { path: '/var/lib/containerd' } },
    /\/var\/lib\/containerd is a folder of container runtimes[^]*cache alone/,
  ],
  [
    'a cache within the tree',
    { kind: 'juicefs' as const, cache: { path: '/strata/rootfs/cache' } },
    /lie within each other: the cache has to be beside the tree/,
  ],
  ['a tree within its cache', { kind: 'juicefs' as const, path: '/var/cache/strata/juicefs/tree' }, /lie within each other/],
])('refuses %s', (_, storage, says) => {
  expect(String(specOf(storage).error)).toMatch(says);
});

it.each(['/strata/rootfs', '/srv', '/data/rootfs', '/mnt/a', '/opt/data', '/etcetera', '/var/lib/mine', '/root/data', '/with a space'])('takes a tree at %s', (path) => {
  expect(specOf({ path }).error).toBeUndefined();
}); // prettier-ignore
it('names the place of each path that is wrong', () => {
  const issues = specOf({ kind: 'juicefs', path: '/usr/x', cache: { path: '/usr' } }).error?.issues ?? [];
  expect(issues.map((i) => i.path.join('.'))).toEqual(['spec.storage.path', 'spec.storage.cache.path', 'spec.storage.cache.path']);
});
it('reads a spec that was kept before there was such a rule', () => {
  const kept = { apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name: 'home' }, spec: { nodes: [{ name: 'n1', address: '10.0.0.11', role: 'control-plane', ssh: {} }], storage: { path: '/etc/tree' }, bundles: ['a', 'a'] } };
  expect([ClusterSpec.safeParse(kept).success, KeptClusterSpec.safeParse(kept).success]).toEqual([false, true]);
}); // prettier-ignore

describe('a replica of the metadata', () => {
  const nodes = ['n1', 'n2', 'n3'].map((name, i) => ({ name, address: `10.0.0.1${i + 1}`, role: i === 0 ? 'control-plane' as const : 'worker' as const, ssh: {} }));
  const of = (metadata: object, count = 3): ReturnType<typeof ClusterSpec.safeParse> =>
    ClusterSpec.safeParse({ apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name: 'home' }, spec: { nodes: nodes.slice(0, count), storage: { kind: 'juicefs', metadata } } });
  it('runs the metadata on two nodes, and a switch exchanges them, the default one too', () => {
    const spec = of({ replica: 'n3' }).data?.spec as ClusterSpec['spec'];
    expect(['n1', 'n2', 'n3'].map((n) => storagePartsOn(spec, n).includes('metadata'))).toEqual([true, false, true]);
    const storage = withSwitchedMetadata(spec);
    expect(storage.metadata).toMatchObject({ node: 'n3', replica: 'n1' });
    expect(withSwitchedMetadata({ ...spec, storage }).metadata).toMatchObject({ node: 'n1', replica: 'n3' });
    expect(() => withSwitchedMetadata(of({}).data?.spec as ClusterSpec['spec'])).toThrow(/no replica/);
  });
  it.each([
    ['on the node of the metadata', of({ replica: 'n1' }), /the metadata themselves are on n1/],
    ['on no node', of({ replica: 'n9' }), /no node n9/],
    ['of two nodes', of({ replica: 'n2' }, 2), /needs three nodes or more, and the spec has 2/],
  ])('is refused %s', (_, parsed, says) => {
    expect(String(parsed.error)).toMatch(says);
  });
}); // prettier-ignore
