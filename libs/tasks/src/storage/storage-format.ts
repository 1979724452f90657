import { bucketPlace, CaPem, ClusterName, type Finding, MetadataPlace, metadataPort, NodeName, ObjectStore, S3Place, storageNames } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext, secretInput } from '../define-task';
import { blocker } from '../native/findings';
import type { Host, ProgramResult } from '../ports/host';
import { TaskError } from '../task-error';
import { externalUrl, storeOf, trusting, type Volume, volumeIn } from './metadata-external';
import { nodeUser } from './metadata-files';
import { known } from './secrets';
import { closedRemedy, closedWords } from './metadata-redis';
import { foreignVolume } from './precheck-storage';
import { guardPaths, metadataPaths, mountPaths, systemdFolder } from './storage-paths';

const Input = z.strictObject({
  cluster: ClusterName,
  node: NodeName, // whose name the metadata knows this machine by
  objects: ObjectStore.optional(), // on a node of ours
  s3: S3Place.optional(), // or with somebody else
  external: MetadataPlace.optional(), // where the metadata are with somebody else
  caPem: CaPem.optional(), // then: whom to trust for objects of ours
  trashDays: z.int().min(7).default(7),
  password: secretInput(),
  access: secretInput(),
  secret: secretInput(),
});
type Input = z.infer<typeof Input>;
type Context = Pick<NodeContext<Input>, 'host' | 'input' | 'secret'>;

/** The metadata's address without a password: that goes by the environment. */
export const metadataUrl = (at: { cluster: string; node: string; ca: string; external?: MetadataPlace | undefined }): string =>
  at.external === undefined
    ? `rediss://${nodeUser(at.node)}@${storageNames(at.cluster).meta}:${metadataPort}/1?tls-ca-cert-file=${at.ca}`
    : externalUrl(at.external);
const bucketUrl = ({ cluster, objects = 'seaweedfs', s3 }: Pick<Input, 'cluster' | 'objects' | 's3'>): string => {
  const { endpoint, bucket } = s3 ?? bucketPlace(cluster, { kind: objects, node: '' });
  return `${endpoint}/${bucket}`;
};
/** What JuiceFS' client of S3 is told by the environment where the metadata are ours: whom to trust besides the machine's own, and the region. */
export const s3Environment = (s3: S3Place | undefined, at: { ca: string; objectsCa: string }): Record<string, string> => ({
  ...(s3 === undefined ? { SSL_CERT_FILE: at.ca } : s3.caPem === undefined ? {} : { SSL_CERT_FILE: at.objectsCa }),
  ...regionOf(s3),
});
/** The region of a bucket, which no address of this form names. */
export const regionOf = (s3: S3Place | undefined): Record<string, string> => (s3 === undefined ? {} : { AWS_REGION: s3.region });

async function juicefs(
  { host, input, secret }: Context,
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; words: string }> {
  const run = (told: Record<string, string>): Promise<ProgramResult> =>
    host.programs.run([mountPaths.binary, ...argv], { timeoutMs: 120_000, env: { META_PASSWORD: secret(input.password), ...told, ...env } });
  const { external, s3 } = input;
  const { code, stdout, stderr } = await (external
    ? trusting(host, input, (trust) => run({ ...trust, ...regionOf(s3) }))
    : run(s3Environment(s3, metadataPaths)));
  const words = stderr.split('\n').filter((l) => /<(FATAL|ERROR)>/.test(l)).at(-1) ?? stderr.trim().split('\n').at(-1) ?? ''; // prettier-ignore
  return { code, stdout, words: words.replace(/^.*<(FATAL|ERROR)>: /, '').slice(0, 600) };
}
const url = (input: Input): string => metadataUrl({ ...input, ca: metadataPaths.ca });

/** The volume that the metadata holds, or null if it holds none. @throws TaskError when it does not say. */
async function volume(c: Context): Promise<Volume | null> {
  const store = storeOf(c);
  if (store) return volumeIn((await store.look()).setting);
  const { code, stdout, words } = await juicefs(c, ['status', url(c.input)]);
  if (code !== 0 && words.includes('not formatted')) return null;
  if (code === 0) return volumeIn(JSON.stringify((JSON.parse(stdout) as { Setting: unknown }).Setting));
  throw new TaskError('metadata-silent', `the metadata does not say which volume it holds: ${words}`, {
    remedy: `see whether ${metadataPaths.unit} runs on this machine and read its journal, then retry the step`,
    retry: true,
  });
}
function differs(v: Volume, { input, secret }: Context): string | null {
  if (v.Bucket !== bucketUrl(input)) return `the volume's bucket is ${v.Bucket}`;
  return v.AccessKey === secret(input.access) ? null : 'the volume has a key of another control server';
}

const otherObjects = (words: string, metadata: string): Finding =>
  blocker(
    'storage.foreign-objects',
    `${words}: its data would not be found`,
    `install with the control server and the object store that it was made with, or move ${metadata} and the objects away, then retry the step`,
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
/** Metadata of somebody else's tell it themselves; without the password a mount of them does, which comes after. */
async function noted({ host, input, secret }: Context, name: string): Promise<boolean> {
  if (input.external)
    return (
      known(secret, input.password) !== null ||
      (await host.files.read(`${systemdFolder}/${mountPaths.unit}`))?.includes(` ${externalUrl(input.external)} `) === true
    );
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
    const where = c.input.external?.url ?? metadataPaths.data;
    if (found.Name !== name) return { state: 'refused', findings: [foreignVolume(found.Name, name, where)] };
    const words = differs(found, c);
    if (words !== null) return { state: 'refused', findings: [otherObjects(words, where)] };
    return isNoted ? { state: 'satisfied', output: { volume: name } } : { state: 'unsatisfied', reason: 'it is not noted here', before: {} };
  },
  async apply(c) {
    const { host, input, secret } = c;
    const name = storageNames(input.cluster).volume;
    if (!input.external) await keepAuthority(host, input.s3);
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
    if (!input.external) await noteVolume(host, input.cluster);
  },
  undo: { never: 'the volume holds the data of the cluster' },
}); // prettier-ignore
