import { bucketPlace, ClusterName, type Finding, metadataPort, NodeName, ObjectStore, S3Place, storageNames } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext, secretInput } from '../define-task';
import { blocker } from '../native/findings';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';
import { nodeUser } from './metadata-files';
import { known } from './secrets';
import { closedRemedy, closedWords } from './metadata-redis';
import { foreignVolume } from './precheck-storage';
import { guardPaths, metadataPaths, mountPaths } from './storage-paths';

const Input = z.strictObject({
  cluster: ClusterName,
  node: NodeName, // whose name the metadata knows this machine by
  objects: ObjectStore.optional(), // on a node of ours
  s3: S3Place.optional(), // or with somebody else
  trashDays: z.int().min(7).default(7),
  password: secretInput(),
  access: secretInput(),
  secret: secretInput(),
});
type Input = z.infer<typeof Input>;
type Context = Pick<NodeContext<Input>, 'host' | 'input' | 'secret'>;

/** The metadata's address without a password: that goes by the environment. */
export const metadataUrl = (at: { cluster: string; node: string; ca: string }): string =>
  `rediss://${nodeUser(at.node)}@${storageNames(at.cluster).meta}:${metadataPort}/1?tls-ca-cert-file=${at.ca}`;
const bucketUrl = ({ cluster, objects = 'seaweedfs', s3 }: Pick<Input, 'cluster' | 'objects' | 's3'>): string => {
  const { endpoint, bucket } = s3 ?? bucketPlace(cluster, { kind: objects, node: '' });
  return `${endpoint}/${bucket}`;
};
/** What JuiceFS' client of S3 is told by the environment: whom to trust besides the machine's own, and the region, which no bucket of this form names. */
export const s3Environment = (s3: S3Place | undefined, at: { ca: string; objectsCa: string }): Record<string, string> => ({
  ...(s3 === undefined ? { SSL_CERT_FILE: at.ca } : s3.caPem === undefined ? {} : { SSL_CERT_FILE: at.objectsCa }),
  ...(s3 === undefined ? {} : { AWS_REGION: s3.region }),
});

const Status = z.object({ Setting: z.object({ Name: z.string(), Bucket: z.string(), AccessKey: z.string(), TrashDays: z.number().default(0) }) });
type Volume = z.infer<typeof Status>['Setting'];

async function juicefs(
  { host, input, secret }: Context,
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; words: string }> {
  const { code, stdout, stderr } = await host.programs.run([mountPaths.binary, ...argv], {
    timeoutMs: 120_000,
    env: { META_PASSWORD: secret(input.password), ...s3Environment(input.s3, metadataPaths), ...env },
  });
  const words = stderr.split('\n').filter((l) => /<(FATAL|ERROR)>/.test(l)).at(-1) ?? stderr.trim().split('\n').at(-1) ?? ''; // prettier-ignore
  return { code, stdout, words: words.replace(/^.*<(FATAL|ERROR)>: /, '').slice(0, 600) };
}
const url = (input: Input): string => metadataUrl({ ...input, ca: metadataPaths.ca });

/** The volume that the metadata holds, or null if it holds none. @throws TaskError when it does not say. */
async function volume(c: Context): Promise<Volume | null> {
  const { code, stdout, words } = await juicefs(c, ['status', url(c.input)]);
  if (code !== 0 && words.includes('not formatted')) return null;
  if (code === 0) return Status.parse(JSON.parse(stdout)).Setting;
  throw new TaskError('metadata-silent', `the metadata does not say which volume it holds: ${words}`, {
    remedy: `see whether ${metadataPaths.unit} runs on this machine and read its journal, then retry the step`,
    retry: true,
  });
}
function differs(v: Volume, { input, secret }: Context): string | null {
  if (v.Bucket !== bucketUrl(input)) return `the volume's bucket is ${v.Bucket}`;
  return v.AccessKey === secret(input.access) ? null : 'the volume has a key of another control server';
}

const otherObjects = (words: string): Finding =>
  blocker(
    'storage.foreign-objects',
    `${words}: its data would not be found`,
    `install with the control server and the object store that it was made with, or move ${metadataPaths.data} and the objects away, then retry the step`,
  );

/** Whom JuiceFS' programs on this machine trust for a bucket of somebody else's. */
export async function keepAuthority(host: Host, s3: S3Place | undefined): Promise<void> {
  if (s3?.caPem !== undefined) await host.files.write(metadataPaths.objectsCa, s3.caPem, { mode: 0o600 });
}

/** The first goes with the cluster; the second stays with the metadata, and is what a first look reads. */
const notes = [metadataPaths.formatted, guardPaths.volume];
/** Says on this machine which volume its metadata hold. */
export async function noteVolume(host: Host, cluster: string): Promise<void> {
  for (const note of notes) await host.files.write(note, `${storageNames(cluster).volume}\n`, { mode: 0o600 });
}
async function noted({ host }: Pick<Context, 'host'>, name: string): Promise<boolean> {
  for (const note of notes) if ((await host.files.read(note)) !== `${name}\n`) return false;
  return true;
}

/** Makes the volume, once ever. What is there already is never made anew. */
export const storageFormat = defineTask({
  name: 'storage.format', version: 1, layer: 'native', timeout: '6m', attempts: 3,
  title: 'The shared file system has its volume',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({ volume: z.string() }),
  async check(c) {
    const name = storageNames(c.input.cluster).volume;
    const closed = await closedWords(c.host);
    if (closed !== null) return { state: 'refused', findings: [blocker('storage.went-back', `the metadata let nobody in: ${closed}`, closedRemedy)] };
    const isNoted = await noted(c, name);
    if (known(c.secret, c.input.password) === null)
      return isNoted ? { state: 'satisfied', output: { volume: name } } : { state: 'unsatisfied', reason: 'there is no volume yet', before: {} };
    const found = await volume(c);
    if (found === null) return { state: 'unsatisfied', reason: 'there is no volume yet', before: {} };
    if (found.Name !== name) return { state: 'refused', findings: [foreignVolume(found.Name, name)] };
    const words = differs(found, c);
    if (words !== null) return { state: 'refused', findings: [otherObjects(words)] };
    return isNoted ? { state: 'satisfied', output: { volume: name } } : { state: 'unsatisfied', reason: 'it is not noted here', before: {} };
  },
  async apply(c) {
    const { host, input, secret } = c;
    const name = storageNames(input.cluster).volume;
    await keepAuthority(host, input.s3);
    if ((await volume(c)) === null) {
      const bucket = ['--storage', 's3', '--bucket', bucketUrl(input)];
      const argv = ['format', ...bucket, '--trash-days', String(input.trashDays), '--enable-acl', url(input), name];
      const { code, words } = await juicefs(c, argv, { ACCESS_KEY: secret(input.access), SECRET_KEY: secret(input.secret) });
      if (code !== 0)
        throw new TaskError('format-failed', `the volume ${name} could not be made: ${words}`, {
          remedy: 'see what the words name: an object store that does not answer, a key that is refused, a bucket that holds other data; then retry the step',
          retry: true,
        });
    }
    await noteVolume(host, input.cluster);
  },
  undo: { never: 'the volume holds the data of the cluster' },
}); // prettier-ignore
