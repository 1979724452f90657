import { z } from 'zod';
import { CaSource, certificatesIn } from './outside';
import { CaPem, secretFrom } from './storage-s3';

const withPassword = /^[a-z]+:\/\/[^/@]*:[^/]*@/i;
const refused = (test: RegExp, error: string): [(text: string) => boolean, { error: string; abort: true }] => [(text) => !test.test(text), { error, abort: true }]; // prettier-ignore
/** Only over TLS, and verified in full: whoever stands in between could read and change every file's metadata. */
export const MetadataUrl = z
  .string()
  .max(400)
  .refine(...refused(withPassword, 'must hold no password: it would stand in plans, files and logs. Leave it out, and say in `passwordFrom` where it is'))
  .refine(...refused(/^redis:/, 'must be used over TLS: rediss://USER@HOST:6380/1'))
  .refine(...refused(/\?/, 'must hold no parameters: TLS is verified in full, and the rest is chosen'))
  .regex(
    /^(postgres:\/\/[A-Za-z0-9_][A-Za-z0-9._-]{0,62}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?\/[A-Za-z0-9_][A-Za-z0-9_-]{0,62}|rediss:\/\/[A-Za-z0-9_][A-Za-z0-9._-]{0,62}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d{1,5})?\/\d{1,4})$/,
    'must look like postgres://USER@db.example:5432/DATABASE or rediss://USER@meta.example:6380/1 (where a Redis has no users: `default`)',
  );

/** What a spec says of metadata that somebody else runs. The password itself is never in it: only where the CLI takes it from. */
export const externalFields = {
  url: MetadataUrl.optional(), // every node reaches it as it stands here
  passwordFrom: secretFrom.optional(),
  caCertificates: z.array(CaSource).optional(), // besides those that the machines trust
} as const;

/** A database for the metadata with somebody else, and whom to trust for it besides the machine's own. */
export const MetadataPlace = z.strictObject({ url: MetadataUrl, caPem: CaPem.optional() });
export type MetadataPlace = z.infer<typeof MetadataPlace>;
/** Where that is, from what a spec says of it. */
export function metadataPlace({ url = '', caCertificates = [] }: { url?: string | undefined; caCertificates?: readonly string[] | undefined }): MetadataPlace {
  const caPem = caCertificates.flatMap(certificatesIn).join('');
  return { url, ...(caPem === '' ? {} : { caPem }) };
}

/** Which kind of database a place is, and its parts. @throws for what is no such URL */
export function metadataParts(url: string): { engine: 'postgres' | 'redis'; user: string; host: string; port: number; database: string } {
  const [, scheme, user = '', host = '', port, database = ''] = /^(postgres|rediss):\/\/([^@]+)@([^:/]+)(?::(\d+))?\/(.+)$/.exec(MetadataUrl.parse(url)) ?? [];
  const engine = scheme === 'postgres' ? 'postgres' : 'redis';
  return { engine, user, host, port: Number(port ?? (engine === 'postgres' ? 5432 : 6379)), database };
}

/** The password of metadata that somebody else runs: sent over TLS or loopback, sealed at once, kept for the life of the cluster or until another one is sent. */
export const MetadataPassword = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be one word of printable signs')
  .meta({ id: 'MetadataPassword' });
export type MetadataPassword = z.infer<typeof MetadataPassword>;

const ofExternal = Object.keys(externalFields) as (keyof typeof externalFields)[];
const ofRedis = ['node', 'replica', 'maxMemoryMiB'] as const;
const needed = ['url', 'passwordFrom'] as const;
type Metadata = { kind: string } & { [K in keyof typeof externalFields | (typeof ofRedis)[number]]?: unknown };
/** What does not fit together in `storage.metadata`. */
export function metadataIssues(metadata: Metadata): { path: string[]; message: string }[] {
  const external = metadata.kind === 'external';
  const [strange, kind] = external ? [ofRedis, 'redis'] : [ofExternal, 'external'];
  const absent = external ? needed.filter((f) => metadata[f] === undefined) : [];
  return [
    ...absent.map((f) => ({ path: ['storage', 'metadata'], message: `\`kind: external\` needs \`${f}\`` })),
    ...strange
      .filter((f) => metadata[f] !== undefined)
      .map((f) => ({ path: ['storage', 'metadata', f], message: `\`${f}\` belongs to \`kind: ${kind}\`: set that, or leave it out` })),
  ];
}
