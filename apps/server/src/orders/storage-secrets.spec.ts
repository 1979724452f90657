import { createHash, X509Certificate } from 'node:crypto';
import { Authority, MasterKey } from '@strata/pki';
import type { Edges } from '../serve/edges';
import { sealBucketKey } from './bucket-key';
import { sealMetadataPassword } from './metadata-password';
import { StorageSecrets } from './storage-secrets';

const master = MasterKey.create();
const nodes = new Map([['n1', 'id-1'], ['n2', 'id-2']]); // prettier-ignore
async function secrets(): Promise<StorageSecrets> {
  const store = {
    clusters: {
      find: (id: string) => Promise.resolve({ id, name: id === 'c2' ? 'other' : 'home' }),
      bucketKey: (id: string) => Promise.resolve(id === 'c1' || id === 'c2' ? sealBucketKey(master, 'c1', { access: 'an-access', secret: 'a-secret' }) : null),
    },
    nodes: { named: (_: string, name: string) => Promise.resolve(nodes.has(name) ? { id: nodes.get(name) } : null) },
  };
  Object.assign(store.clusters, {
    metadataPassword: (id: string) => Promise.resolve(id === 'c1' || id === 'c2' ? sealMetadataPassword(master, 'c1', 'a-password') : null),
  });
  return new StorageSecrets({ keys: { master, authority: await Authority.create('test') }, store } as unknown as Edges);
}
const text = async (cluster: string, ref: string): Promise<string> => (await (await secrets()).derived(cluster, ref)).toString();

it('gives the same each time, and another one to each purpose, node and cluster', async () => {
  const refs = ['storage-metadata-admin', 'storage-metadata-node:n1', 'storage-metadata-node:n2', 'storage-bucket-access', 'storage-bucket-secret'];
  const all = await Promise.all(['c1', 'c2'].flatMap((c) => refs.map((ref) => text(c, ref))));
  expect(new Set(all).size).toBe(10);
  expect(await text('c1', refs[1] ?? '')).toBe(all[1]);
  for (const value of all) expect(value).toMatch(/^[0-9a-f]{20}([0-9a-f]{20})?$/);
});
it('gives a cluster of the same name the key of its bucket again, and nothing else', async () => {
  expect(await text('c3', 'storage-bucket-secret')).toBe(await text('c1', 'storage-bucket-secret'));
  expect(await text('c3', 'storage-metadata-admin')).not.toBe(await text('c1', 'storage-metadata-admin'));
});
it('gives the hash of the very password', async () => {
  const hash = createHash('sha256').update(await text('c1', 'storage-metadata-node:n1')).digest('hex'); // prettier-ignore
  expect(await text('c1', 'storage-metadata-node-hash:n1')).toBe(hash);
});
it('gives a node that comes again another password', async () => {
  const first = await text('c1', 'storage-metadata-node:n2');
  nodes.set('n2', 'id-3');
  expect(await text('c1', 'storage-metadata-node:n2')).not.toBe(first);
});
it.each(['storage-metadata-node:n9', 'storage-metadata-node', 'storage-bucket-secret:n1', 'storage-else'])('refuses %s', async (ref) => {
  await expect(text('c1', ref)).rejects.toThrow(/no secret of the storage|no node of the cluster/);
});
it('gives what opens storage of somebody else to the cluster that it was sealed for, and to no other', async () => {
  const given = async (cluster: string, ref: string): Promise<string> => (await (await secrets()).given(cluster, ref)).toString();
  expect([await given('c1', 'bucket-access'), await given('c1', 'bucket-secret')]).toEqual(['an-access', 'a-secret']);
  await expect(given('c2', 'bucket-secret')).rejects.toThrow(); // moved from c1
  await expect(given('c3', 'bucket-secret')).rejects.toThrow(/was never sent/);
  expect(await given('c1', 'metadata-password')).toBe('a-password');
  await expect(given('c2', 'metadata-password')).rejects.toThrow(); // moved from c1
  await expect(given('c3', 'metadata-password')).rejects.toThrow(/password of the metadata was never sent/);
  await expect(given('c1', 'else')).rejects.toThrow(/no secret of the storage/);
});
it('makes a certificate of the service that names its node, and neither a node nor the server', async () => {
  const pem = (await (await secrets()).identity('c1', 'storage-identity:meta:10.0.0.11')).toString();
  expect(pem.match(/-----BEGIN [A-Z ]+-----/g)).toEqual(['-----BEGIN CERTIFICATE-----', '-----BEGIN PRIVATE KEY-----', '-----BEGIN CERTIFICATE-----']);
  const { subjectAltName } = new X509Certificate(pem);
  expect(subjectAltName).toBe(
    'URI:spiffe://strata.local/service/meta.home.strata.internal, DNS:meta.home.strata.internal, IP Address:10.0.0.11, IP Address:127.0.0.1',
  );
  await expect((await secrets()).identity('c1', 'storage-identity:else:10.0.0.11')).rejects.toThrow(/no secret/);
});
