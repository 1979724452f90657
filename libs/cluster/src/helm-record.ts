import { gunzipSync, gzipSync } from 'node:zlib';
import { type KubernetesObject, PatchStrategy } from '@kubernetes/client-node';
import { ManifestObject } from '@strata/model';
import { type ObjectRef, refOf, type ReleaseRef, TaskError } from '@strata/tasks';
import { isMap, parseAllDocuments, parseDocument } from 'yaml';
import { z } from 'zod';
import { type Connection, must, orNull } from './connection';

const policy = ['metadata', 'annotations', 'helm.sh/resource-policy'];
/** More than this no record of a release unpacks to. */
const largest = 64 * 1024 * 1024;

/** What a record says of its revision. Of values and chart, which are most of it, nothing is told. */
const Told = z.looseObject({
  version: z.int(),
  info: z.looseObject({ status: z.string(), description: z.string().default('') }),
  manifest: z.string().default(''),
});
/** What a record says of its revision, and what that consists of. */
export interface HelmRecord {
  revision: number;
  status: string;
  description: string;
  objects: ObjectRef[];
}
interface Head {
  name: string; // of the Secret
  version: string; // of the Secret, by the API
}
/** As many records as are kept as they were read: those of a rollout that is at work, or of a list of applications. */
const keptRecords = 256;

/** Helm's own records in one cluster, read without its program, which would be a process each time. One that is as it was is not read again. */
export class HelmRecords {
  private readonly read = new Map<string, HelmRecord>(); // by namespace, name and version of the Secret

  constructor(private readonly connection: Connection) {}

  /** Of the newest revision of a release; null where there is none. */
  async newest(of: ReleaseRef): Promise<HelmRecord | null> {
    const head = await newestHead(this.connection, of);
    return head && this.at(of.namespace, head);
  }
  /** The record in a Secret that was seen in this version, or is newer by now; null where it is gone. @throws TaskError where it cannot be read */
  async at(namespace: string, head: Head): Promise<HelmRecord | null> {
    const key = `${namespace}/${head.name}@${head.version}`;
    const known = this.read.get(key);
    if (known) return known;
    const packed = await packedRecord(this.connection, namespace, head.name);
    if (packed === null) return null;
    const told = Told.safeParse(parsed(head.name, packed.data));
    if (!told.success) throw unreadable(head.name, told.error);
    const { version: revision, info, manifest } = told.data;
    const record = { revision, status: info.status, description: info.description, objects: refsIn(manifest) };
    if (packed.version === head.version && packed.version !== '') this.keep(key, record);
    return record;
  }
  private keep(key: string, record: HelmRecord): void {
    this.read.set(key, record);
    const oldest = this.read.keys().next();
    if (this.read.size > keptRecords && oldest.done !== true) this.read.delete(oldest.value);
  }
}
/** The Secret of the newest revision, and its version; null where there is none. */
async function newestHead(connection: Connection, { release, namespace }: ReleaseRef): Promise<Head | null> {
  const all = await connection.heads(`/api/v1/namespaces/${namespace}/secrets?labelSelector=${encodeURIComponent(`owner=helm,name=${release}`)}`);
  const head = all.sort((a, b) => Number(a.labels?.['version']) - Number(b.labels?.['version'])).at(-1);
  return head?.name === undefined ? null : { name: head.name, version: head.resourceVersion ?? '' };
}
async function packedRecord(connection: Connection, namespace: string, name: string): Promise<{ data: string; version: string } | null> {
  const secret = await orNull(`read Helm's record ${name}`, () => connection.core.readNamespacedSecret({ name, namespace }));
  const data = secret?.data?.['release'];
  return data === undefined ? null : { data, version: secret?.metadata?.resourceVersion ?? '' };
}
function parsed(name: string, packed: string): unknown {
  try {
    return JSON.parse(unpacked(packed));
  } catch (cause) {
    throw unreadable(name, cause);
  }
}
const unreadable = (name: string, cause: unknown): TaskError =>
  new TaskError('helm-record', `Helm's record ${name} cannot be read`, {
    remedy: 'see `helm history` of it; delete that Secret if Helm cannot read it either',
    cause,
  });
const unpacked = (packed: string): string =>
  gunzipSync(Buffer.from(Buffer.from(packed, 'base64').toString('latin1'), 'base64'), { maxOutputLength: largest }).toString('utf8');

/**
 * Makes Helm leave these objects (`KIND/NAME`) when it takes the release away. For that it reads its own record of the newest revision, not the objects:
 * so it has to be said there. Nothing else of the record changes.
 */
export async function keepInRecord(connection: Connection, of: ReleaseRef, keep: readonly string[]): Promise<void> {
  const head = await newestHead(connection, of);
  const packed = head && (await packedRecord(connection, of.namespace, head.name));
  if (!head || !packed) return;
  const release = withKept(packed.data, keep);
  if (release === packed.data) return;
  const patch = { apiVersion: 'v1', kind: 'Secret', metadata: { name: head.name, namespace: of.namespace }, data: { release } };
  const what = `tell Helm what stays of ${of.release}`;
  await must(what, () => connection.objects.patch(patch as KubernetesObject, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch));
}

/** A record as its Secret holds it, with the policy at these objects. */
export function withKept(packed: string, keep: readonly string[]): string {
  const text = unpacked(packed);
  const { manifest } = JSON.parse(text) as { manifest?: string };
  if (manifest === undefined) return packed;
  const changed = keptManifest(manifest, keep);
  if (changed === manifest) return packed;
  // in the text itself: numbers of the values must not go through JavaScript's
  const all = text.replaceAll(/"manifest":("(?:[^"\\]|\\.)*")/g, (whole, quoted: string) => (JSON.parse(quoted) === manifest ? `"manifest":${JSON.stringify(changed)}` : whole)); // prettier-ignore
  return Buffer.from(gzipSync(all).toString('base64'), 'latin1').toString('base64');
}
export function keptManifest(manifest: string, keep: readonly string[]): string {
  const parts = manifest.split(/^---[ \t]*$/m).map((part) => {
    const document = parseDocument(part, { logLevel: 'silent' });
    if (document.errors.length > 0 || !isMap(document.contents)) return part;
    const key = `${String(document.get('kind'))}/${String(document.getIn(['metadata', 'name']))}`;
    if (!keep.includes(key) || document.hasIn(policy)) return part;
    document.setIn(policy, 'keep');
    return `\n${document.toString().trim()}\n`;
  });
  return parts.join('---');
}

/** What a manifest names; Helm gives it as several documents. */
export function refsIn(text: string): ObjectRef[] {
  const refs: ObjectRef[] = [];
  for (const document of parseAllDocuments(text, { logLevel: 'silent' })) {
    const o = ManifestObject.safeParse(document.toJS({ maxAliasCount: 50 }));
    if (o.success) refs.push(refOf(o.data));
  }
  return refs;
} // prettier-ignore
