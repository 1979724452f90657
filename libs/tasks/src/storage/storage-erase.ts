import { ClusterName, MetadataPlace, S3Place, StoragePart, storageNames } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext, secretInput } from '../define-task';
import type { Bucket } from '../ports/bucket';
import type { MetadataStore } from '../ports/metadata-store';
import { TaskError } from '../task-error';
import { oursBegin } from './bucket-words';
import { isOursIn } from './metadata-external';
import { known } from './secrets';
import { dumpsFolder, guardPaths, metadataPaths, minioPaths, mountPaths, objectsPaths, storageDataOf } from './storage-paths';

const Input = z.strictObject({
  cluster: ClusterName,
  parts: z.array(StoragePart), // whose data lie on this machine
  bucket: z.strictObject({ place: S3Place, access: secretInput(), secret: secretInput() }).optional(), // with somebody else: emptied of what is ours
  metadata: z.strictObject({ place: MetadataPlace, password: secretInput() }).optional(), // the same
});
type Context = Pick<NodeContext<z.infer<typeof Input>>, 'host' | 'input' | 'secret'>;
const unitOf = { metadata: metadataPaths.unit, seaweedfs: objectsPaths.unit, minio: minioPaths.unit } as const;

/** systemd keeps the data of services like these below `private`, and a link to it where they look. */
const places = (input: z.infer<typeof Input>): string[] =>
  input.parts.flatMap((part) => [
    ...[storageDataOf[part], storageDataOf[part].replace('/var/lib/', '/var/lib/private/')],
    ...(part === 'metadata' ? [guardPaths.folder, dumpsFolder] : []),
  ]);
async function leftHere({ host, input }: Context): Promise<string[]> {
  const left: string[] = [];
  for (const path of places(input)) if ((await host.files.stat(path)) !== null) left.push(path);
  return left;
}
/** The bucket, or null in an order without its key, or for a cluster whose objects are on its own nodes. */
function bucketOf({ host, input, secret }: Context): Bucket | null {
  if (!input.bucket) return null;
  const [access, own] = [known(secret, input.bucket.access), known(secret, input.bucket.secret)];
  return access === null || own === null ? null : host.bucket({ ...input.bucket.place, access, secret: own });
}
/** The database of the metadata, or null in an order without its password, or for a cluster whose metadata are on its own nodes. */
function databaseOf({ host, input, secret }: Context): MetadataStore | null {
  const password = input.metadata ? known(secret, input.metadata.password) : null;
  return input.metadata && password !== null ? host.metadataStore({ ...input.metadata.place, password }) : null;
}
async function ours(bucket: Bucket, cluster: string): Promise<string[]> {
  for (const prefix of oursBegin(storageNames(cluster).volume)) {
    const { keys } = await bucket.list({ prefix });
    if (keys.length > 0) return keys;
  }
  return [];
}
/** Nothing that is still in use goes. @throws TaskError */
async function mustRest({ host, input }: Context): Promise<void> {
  const units = [mountPaths.unit, ...input.parts.map((part) => unitOf[part])];
  for (const unit of units)
    if (!['inactive', 'failed'].includes((await host.units.state(unit)).active))
      throw new TaskError('data-in-use', `${unit} still runs here: its data are not deleted under it`, {
        remedy: `see why it could not be taken back (\`systemctl status ${unit}\`), then retry the step`,
        retry: true,
      });
}

/** The data of the shared file system go for good: the metadata, and of the objects only those of this cluster's volume. */
export const storageErase = defineTask({
  name: 'storage.erase', version: 1, layer: 'native', timeout: '60m', timeoutFrom: 'progress', attempts: 3,
  title: 'The data of the shared file system are deleted',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check(c) {
    const left = await leftHere(c);
    const bucket = bucketOf(c);
    if (c.input.bucket && bucket === null) left.push(`what is in the bucket ${c.input.bucket.place.bucket}`);
    const some = bucket === null ? [] : await ours(bucket, c.input.cluster);
    if (some.length > 0) left.push(`${some[0] ?? ''} and others in the bucket ${c.input.bucket?.place.bucket ?? ''}`);
    const { metadata, cluster } = c.input;
    const database = databaseOf(c);
    if (metadata && (database === null || isOursIn((await database.look()).setting, cluster))) left.push(`the metadata at ${metadata.place.url}`);
    return left.length === 0 ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: `there still are ${left.join(', ')}`, before: {} };
  },
  async apply(c) {
    const { host, signal, progress, log } = c;
    await mustRest(c);
    const bucket = bucketOf(c);
    let gone = 0;
    for (let keys = bucket ? await ours(bucket, c.input.cluster) : []; bucket && keys.length > 0; keys = await ours(bucket, c.input.cluster)) {
      signal.throwIfAborted();
      await bucket.remove(keys);
      gone += keys.length;
      progress(null, `${gone} objects are deleted`);
    }
    if (bucket) log(`${gone} objects were deleted from the bucket ${c.input.bucket?.place.bucket ?? ''}; what is not of this cluster's volume stays there`);
    const database = databaseOf(c);
    if (database && isOursIn((await database.look()).setting, c.input.cluster)) {
      await database.erase();
      log(`the metadata at ${c.input.metadata?.place.url ?? ''} were deleted; what is not of this cluster's volume stays there`);
    }
    for (const path of await leftHere(c)) await host.files.remove(path, { recursive: true });
  },
  undo: { never: 'what is deleted does not come back' },
}); // prettier-ignore
