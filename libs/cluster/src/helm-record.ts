import { gunzipSync, gzipSync } from 'node:zlib';
import { type KubernetesObject, PatchStrategy } from '@kubernetes/client-node';
import type { ReleaseRef } from '@strata/tasks';
import { isMap, parseDocument } from 'yaml';
import { type Connection, must } from './connection';

const policy = ['metadata', 'annotations', 'helm.sh/resource-policy'];
/** More than this no record of a release unpacks to. */
const largest = 64 * 1024 * 1024;

/**
 * Makes Helm leave these objects (`KIND/NAME`) when it takes the release away. For that it reads its own record of the newest revision, not the objects:
 * so it has to be said there. Nothing else of the record changes.
 */
export async function keepInRecord({ core, objects }: Connection, of: ReleaseRef, keep: readonly string[]): Promise<void> {
  const labelSelector = `owner=helm,name=${of.release}`;
  const { items } = await must(`list Helm's records of ${of.release}`, () => core.listNamespacedSecret({ namespace: of.namespace, labelSelector }));
  const newest = items.sort((a, b) => Number(a.metadata?.labels?.['version']) - Number(b.metadata?.labels?.['version'])).at(-1);
  const packed = newest?.data?.['release'];
  if (!newest || packed === undefined) return;
  const release = withKept(packed, keep);
  if (release === packed) return;
  const patch = { apiVersion: 'v1', kind: 'Secret', metadata: { name: newest.metadata?.name ?? '', namespace: of.namespace }, data: { release } };
  const what = `tell Helm what stays of ${of.release}`;
  await must(what, () => objects.patch(patch as KubernetesObject, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch));
}

/** A record as its Secret holds it, with the policy at these objects. */
export function withKept(packed: string, keep: readonly string[]): string {
  const text = gunzipSync(Buffer.from(Buffer.from(packed, 'base64').toString('latin1'), 'base64'), { maxOutputLength: largest }).toString('utf8');
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
