import { ClusterSpec, type ClusterSpecInput } from './cluster-spec';
import { sharedStorage, storagePartsOn } from './storage';

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

it('is local and shared by nobody unless the spec says otherwise', () => {
  expect(good(undefined).storage).toEqual({ kind: 'local', path: '/strata/rootfs' });
  expect(sharedStorage(good({}))).toBeNull();
});
it('has every default, and its services on the control plane', () => {
  expect(sharedStorage(good({ kind: 'juicefs' }))).toEqual({
    path: '/strata/rootfs',
    cache: { path: '/var/cache/strata/juicefs', sizeMiB: 10_240, freeRatio: 0.25 },
    metadata: { node: 'n1', replica: null, maxMemoryMiB: 1024 },
    objects: { kind: 'seaweedfs', node: 'n1' },
  });
});
it('runs each service where it was put', () => {
  const spec = good({ kind: 'juicefs', objects: { node: 'n2' } });
  expect([storagePartsOn(spec, 'n1'), storagePartsOn(spec, 'n2'), storagePartsOn(spec, 'n3')]).toEqual([['metadata'], ['seaweedfs'], []]);
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
  ['the root', { kind: 'juicefs' as const, path: '/' }, /must be an absolute one/],
])('refuses %s', (_, storage, says) => {
  expect(String(specOf(storage).error)).toMatch(says);
});
