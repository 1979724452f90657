import { z } from 'zod';
import { CaSource } from './outside';

/** Where the CLI takes a secret from; the API never sees it but sent beside the spec. */
export const secretFrom = z.union([z.literal('prompt'), z.string().regex(/^(env|file):.+$/)]);
/** Only over TLS: what goes there is the data of all nodes, and the key that may delete it. */
export const S3Endpoint = z
  .string()
  .max(300)
  .regex(/^https:\/\/[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?\/?$/, 'must look like https://s3.example:9000, without a path, user or password');
export const S3Region = z.string().regex(/^[a-z0-9-]{1,64}$/, 'must look like eu-central-1');
export const S3Bucket = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket: 3 to 63 lower-case letters, digits, "." and "-"');

/** What a spec says of a bucket that somebody else runs. The key itself is never in it: only where the CLI takes it from. */
export const s3Fields = {
  endpoint: S3Endpoint.optional(), // every node reaches it as it stands here, past every proxy
  region: S3Region.optional(), // default: us-east-1
  bucket: S3Bucket.optional(),
  accessKeyFrom: secretFrom.optional(),
  secretKeyFrom: secretFrom.optional(),
  caCertificates: z.array(CaSource).optional(), // besides those that the machines trust
} as const;

/** PEM text of certificates, one after the other. */
export const CaPem = z.string().regex(/^-----BEGIN CERTIFICATE-----\n/);

/** A bucket, and how it is reached. `caPem`: whom to trust besides the machine's own. */
export const S3Place = z.strictObject({
  endpoint: S3Endpoint,
  region: S3Region,
  bucket: S3Bucket,
  caPem: CaPem.optional(),
});
export type S3Place = z.infer<typeof S3Place>;

/** The key of a bucket that somebody else runs: sent once over TLS or loopback, sealed at once, kept for the life of the cluster. */
export const BucketKey = z
  .strictObject({
    access: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'must be one word of printable signs'),
    secret: z.string().regex(/^[\x21-\x7e]{1,200}$/, 'must be one word of printable signs'),
  })
  .meta({ id: 'BucketKey' });
export type BucketKey = z.infer<typeof BucketKey>;

const own = Object.keys(s3Fields) as (keyof typeof s3Fields)[];
const needed = ['endpoint', 'bucket', 'accessKeyFrom', 'secretKeyFrom'] as const;
type Objects = { kind: string; node?: string | undefined } & { [K in keyof typeof s3Fields]?: unknown };
/** What does not fit together in `storage.objects`. */
export function s3Issues(objects: Objects): { path: string[]; message: string }[] {
  if (objects.kind !== 's3')
    return own.filter((f) => objects[f] !== undefined).map((f) => ({ path: ['storage', 'objects', f], message: `\`${f}\` belongs to \`kind: s3\`: set that, or leave it out` }));
  const absent = needed.filter((f) => objects[f] === undefined).map((f) => ({ path: ['storage', 'objects'], message: `\`kind: s3\` needs \`${f}\`` }));
  return [...absent, ...(objects.node === undefined ? [] : [{ path: ['storage', 'objects', 'node'], message: '`kind: s3` runs on no node: leave `node` out' }])];
} // prettier-ignore
