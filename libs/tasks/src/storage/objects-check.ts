import { ClusterName, type Finding, NodeName, S3Place, storageNames } from '@strata/model';
import { z } from 'zod';
import { definePrecheck, type NodeContext, secretInput } from '../define-task';
import { blocker, info } from '../native/findings';
import { type Bucket, BucketError } from '../ports/bucket';
import { attempt } from './attempt';
import { findingOf, isOurs } from './bucket-words';
import { known } from './secrets';

const Input = z.strictObject({ cluster: ClusterName, node: NodeName, place: S3Place, access: secretInput(), secret: secretInput() });
type Context = NodeContext<z.infer<typeof Input>>;
type Doing = Parameters<typeof findingOf>[1]['doing'];

/** The place of this node's own trial: nobody else writes there, and JuiceFS never looks there. */
export const trialKey = (cluster: string, node: string): string => `${storageNames(cluster).volume}.preflight/${node}`;
/** As large as no answer of a store's cache is by chance, of text that no two trials share. */
const trialText = (seed: string): string => Array.from({ length: 4096 }, (_, i) => `${seed} ${i}\n`).join('');

/** Tries something with the store, as `attempt` does. */
const tried = <T>(c: Context, doing: Doing, call: () => Promise<T>): ReturnType<typeof attempt<T, BucketError>> => {
  const { endpoint, bucket } = c.input.place;
  return attempt(
    c,
    {
      what: `the object store to ${doing}`, remedy: `see the object store at ${endpoint}, then retry the step`, answer: BucketError,
      isSilent: (error) => error.s3 === 'unreachable', findingOf: (error) => findingOf(error, { endpoint, bucket, doing }),
    },
    call,
  );
}; // prettier-ignore

/** Whose the bucket is, without writing anything. */
async function foreign(c: Context, bucket: Bucket): Promise<Finding | null> {
  const { volume } = storageNames(c.input.cluster);
  const seen = await tried(c, 'list', () => bucket.list({ delimiter: '/' }));
  if ('finding' in seen) return seen.finding;
  const others = [...seen.value.folders, ...seen.value.keys].filter((key) => !isOurs(volume, key));
  if (others.length === 0) return null;
  return blocker(
    'storage.foreign-bucket',
    `the bucket ${c.input.place.bucket} holds what is not of the volume ${volume}: ${others.slice(0, 3).join(', ')}${others.length > 3 ? ' and more' : ''}`,
    'name a bucket of its own for this cluster, or move these objects away, then apply again',
  );
}
const keepsVersions = (bucket: string, what: string): Finding =>
  blocker(
    'storage.versioned-bucket',
    `the bucket ${bucket} has ${what}: whatever is deleted would stay there, and be paid for, for ever`,
    'take a bucket without versioning and object lock, then apply again',
  );
async function versioned(c: Context, bucket: Bucket): Promise<Finding | null> {
  for (const [name, what] of [['object-lock', 'object lock'], ['versioning', 'versioning']] as const) {
    const is = await tried(c, 'read', () => bucket.setting(name));
    if ('finding' in is) return is.finding;
    if (is.value === 'Enabled') return keepsVersions(c.input.place.bucket, `${what} enabled`);
  }
  return null;
} // prettier-ignore

/** Writes, reads back, finds and takes away one object. */
async function trial(c: Context, bucket: Bucket): Promise<Finding | null> {
  const { cluster, node, place } = c.input;
  const key = trialKey(cluster, node);
  const text = trialText(`${node} ${c.clock.now()}`);
  const put = await tried(c, 'write', () => bucket.put(key, text));
  if ('finding' in put) return put.finding;
  const found = await readBack(c, bucket, { key, text });
  const removed = await tried(c, 'delete', () => bucket.remove([key]));
  if (found !== null) return found;
  if ('finding' in removed) return removed.finding;
  return put.value.version === null ? null : keepsVersions(place.bucket, 'versioning enabled');
}
async function readBack(c: Context, bucket: Bucket, { key, text }: { key: string; text: string }): Promise<Finding | null> {
  const got = await tried(c, 'read', () => bucket.get(key));
  if ('finding' in got) return got.finding;
  const listed = await tried(c, 'list', () => bucket.list({ prefix: key }));
  if ('finding' in listed) return listed.finding;
  if (got.value === text && listed.value.keys.includes(key)) return null;
  const what = got.value === text ? 'does not list what it took' : got.value === null ? 'has lost what it took' : 'gives back something else than it took';
  return blocker(
    'storage.unfaithful',
    `${c.input.place.endpoint} ${what} (object ${key})`,
    'take an object store that keeps what it is given, then apply again',
  );
}

/**
 * The bucket is ours, and with this key this machine can write, read back, list and delete in it. It leaves nothing there; nothing is written into a bucket
 * that is somebody else's.
 */
export const objectsCheck = definePrecheck({
  name: 'objects.check', version: 1, timeout: '8m',
  title: 'The bucket takes, gives back and forgets what this node writes',
  input: Input,
  async look(c) {
    const { place } = c.input;
    const [access, secret] = [known(c.secret, c.input.access), known(c.secret, c.input.secret)];
    if (access === null || secret === null) return [info('storage.untried', `the bucket ${place.bucket} is tried when the plan is carried out: a look has no key`)];
    const bucket = c.host.bucket({ ...place, access, secret });
    const finding = (await foreign(c, bucket)) ?? (await versioned(c, bucket)) ?? (await trial(c, bucket));
    return finding === null ? [] : [finding];
  },
}); // prettier-ignore
