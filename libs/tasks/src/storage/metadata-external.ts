import { type MetadataPlace, metadataParts, type S3Place, type SecretRef, storageNames } from '@strata/model';
import { z } from 'zod';
import type { NodeContext } from '../define-task';
import type { Host } from '../ports/host';
import type { MetadataStore } from '../ports/metadata-store';
import { TaskError } from '../task-error';

type Given = Pick<NodeContext<{ password: SecretRef; external?: MetadataPlace | undefined }>, 'host' | 'input' | 'secret'>;

/** The database of an order's metadata, asked with its password; null where they are on a node of ours. */
export function storeOf({ host, input, secret }: Given): MetadataStore | null {
  return input.external === undefined ? null : host.metadataStore({ ...input.external, password: secret(input.password) });
}
/** As JuiceFS is told of it, without a password: that goes by the environment. */
export const externalUrl = ({ url }: MetadataPlace): string => `${url}${metadataParts(url).engine === 'postgres' ? '?sslmode=verify-full' : ''}`;

const Setting = z.object({ Name: z.string(), Bucket: z.string(), AccessKey: z.string().default(''), TrashDays: z.number().default(0) });
/** A volume, by what JuiceFS says of it. */
export type Volume = z.infer<typeof Setting>;
/** The volume of such settings; null for none. @throws TaskError for what is none of JuiceFS' */
export function volumeIn(setting: string | null): Volume | null {
  if (setting === null) return null;
  try {
    return Setting.parse(JSON.parse(setting));
  } catch (cause) {
    throw new TaskError('strange-setting', 'the database has settings of a volume that JuiceFS 1.4 does not write', { remedy: 'name a database of its own for this cluster, then apply again', cause });
  }
} // prettier-ignore
/** Whether the volume there is this cluster's. */
export const isOursIn = (setting: string | null, cluster: string): boolean => volumeIn(setting)?.Name === storageNames(cluster).volume;

interface Trusting {
  external?: MetadataPlace | undefined;
  caPem?: string | undefined;
  s3?: S3Place | undefined;
}
/** Certificates that JuiceFS has to trust besides the machine's own: those of the metadata, and those of the objects. */
export const trustText = ({ external, caPem, s3 }: Trusting): string =>
  [external?.caPem, s3 === undefined ? caPem : s3.caPem].filter((pem) => pem !== undefined).join('');

const trustFile = '/run/strata-storage-trust.pem';
/** Runs a program of JuiceFS that trusts these. The file is there for its time alone: the mount, which has its own, may not be there yet. */
export async function trusting<T>(host: Host, of: Trusting, work: (environment: Record<string, string>) => Promise<T>): Promise<T> {
  const text = trustText(of);
  if (text === '') return work({});
  await host.files.write(trustFile, text, { mode: 0o600 });
  try {
    return await work({ SSL_CERT_FILE: trustFile });
  } finally {
    await host.files.remove(trustFile);
  }
} // prettier-ignore
