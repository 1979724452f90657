import { createHash } from 'node:crypto';
import { storageNames } from '@strata/model';
import { TaskError } from '@strata/tasks';
import type { Edges } from '../serve/edges';
import { openBucketKey } from './bucket-key';
import { openMetadataPassword } from './metadata-password';

const length = 40; // 160 bits as hex: no sign that a URL, an env file or an object store would take for something else
const accessKeyLength = 20;
const unknown = (what: string): TaskError =>
  new TaskError('unknown-secret', `no secret of the storage is named ${what}`, { remedy: 'plan again: the plan was made by another version' });

/**
 * The secrets of a cluster's shared file system. Passwords are derived from the server's master key by what they are for: nothing is stored, and each
 * retry gets the same. `storage-metadata-admin`, `storage-metadata-peer`, `storage-metadata-node:NAME`, `storage-objects-root`,
 * `storage-bucket-access`, `storage-bucket-secret`; with `-hash` behind the
 * kind the sha256 of that value, which is all that the metadata's own list of users needs. The bucket's key belongs to the cluster's name: a volume that outlives its cluster holds it, and JuiceFS
 * takes another one only by its arguments.
 */
export class StorageSecrets {
  constructor(private readonly edges: Edges) {}

  /** @throws TaskError for a node that is not in the cluster, and for what nobody knows. */
  async derived(clusterId: string, ref: string): Promise<Buffer> {
    const [, what = '', hash, , node] =
      /^storage-(metadata-admin|metadata-peer|metadata-node|objects-root|bucket-access|bucket-secret)(-hash)?(:([a-z0-9-]+))?$/.exec(ref) ?? [];
    if (what === '' || (what === 'metadata-node') !== (node !== undefined)) throw unknown(ref);
    const whose = node === undefined ? what : `${what}/${await this.nodeId(clusterId, node)}`;
    const scope = what.startsWith('bucket-') ? `named/${(await this.edges.store.clusters.find(clusterId))?.name ?? ''}` : clusterId;
    const derived = this.edges.keys.master.derive(`storage/${scope}/${whose}`).toString('hex');
    const value = derived.slice(0, what === 'bucket-access' ? accessKeyLength : length);
    return Buffer.from(hash === undefined ? value : createHash('sha256').update(value).digest('hex'), 'utf8');
  }

  /** `storage-identity:meta:ADDRESS` or `…:objects:…`: certificate, key and CA of a service there. A fresh one each time is fine: clients trust the CA. */
  async identity(clusterId: string, ref: string): Promise<Buffer> {
    const [, service, address] = /^storage-identity:(meta|objects):(\d+\.\d+\.\d+\.\d+)$/.exec(ref) ?? [];
    const cluster = await this.edges.store.clusters.find(clusterId);
    if (!cluster || address === undefined || (service !== 'meta' && service !== 'objects')) throw unknown(ref);
    const name = storageNames(cluster.name)[service];
    const { certPem, keyPem, caPem } = await this.edges.keys.authority.issueService(name, { dns: [name], ip: [address, '127.0.0.1'] });
    return Buffer.from(`${certPem}${keyPem}${caPem}`, 'utf8');
  }

  /** `bucket-access` or `bucket-secret` of a bucket that somebody else runs, or the `metadata-password`, as the operator gave it. @throws TaskError when it was never sent */
  async given(clusterId: string, ref: string): Promise<Buffer> {
    if (ref === 'metadata-password') return this.metadataPassword(clusterId);
    if (ref !== 'bucket-access' && ref !== 'bucket-secret') throw unknown(ref);
    const key = openBucketKey(this.edges.keys.master, clusterId, await this.edges.store.clusters.bucketKey(clusterId));
    if (!key)
      throw new TaskError('secret-missing', 'the key of the bucket was never sent, or the cluster was uninstalled since', {
        remedy: 'apply the spec again where `accessKeyFrom` and `secretKeyFrom` can be read: it is sent with it',
      });
    return Buffer.from(ref === 'bucket-access' ? key.access : key.secret, 'utf8');
  }

  private async metadataPassword(clusterId: string): Promise<Buffer> {
    const password = openMetadataPassword(this.edges.keys.master, clusterId, await this.edges.store.clusters.metadataPassword(clusterId));
    if (password !== null) return Buffer.from(password, 'utf8');
    throw new TaskError('secret-missing', 'the password of the metadata was never sent, or the cluster was uninstalled since', {
      remedy: 'apply the spec again where `passwordFrom` can be read: it is sent with it',
    });
  }

  /** A node that was removed and added again is another one: it gets another password. */
  private async nodeId(clusterId: string, name: string): Promise<string> {
    const node = await this.edges.store.nodes.named(clusterId, name);
    if (node) return node.id;
    throw new TaskError('secret-missing', `${name} is no node of the cluster any more`, { remedy: 'plan again: the spec or the cluster has changed since' });
  }
}
