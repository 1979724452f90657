import { canonicalJson } from '@strata/model';
import type { Cluster, KubeObject, ObjectRef } from '../ports/cluster';

const annotation = 'strata.local/revision';

/** A short number of a content, to see that it changed: not a digest, nothing relies on it being hard to forge. */
function shortHash(text: string): string {
  let [a, b] = [0x811c9dc5, 0x01000193];
  for (let i = 0; i < text.length; i++) {
    a = Math.imul(a ^ text.charCodeAt(i), 0x01000193);
    b = Math.imul(b + text.charCodeAt(i), 0x85ebca6b) ^ (b >>> 13);
  }
  return [a, b].map((n) => (n >>> 0).toString(16).padStart(8, '0')).join('');
}
export const refOf = (o: KubeObject): ObjectRef => ({
  apiVersion: o.apiVersion,
  kind: o.kind,
  name: o.metadata.name,
  ...(o.metadata.namespace === undefined ? {} : { namespace: o.metadata.namespace }),
});
/** The object with an annotation that says from which content it was made. */
export const withRevision = (o: KubeObject): KubeObject => ({
  ...o,
  metadata: { ...o.metadata, annotations: { ...o.metadata.annotations, [annotation]: shortHash(canonicalJson(o)) } },
});
/** The words for the first object that is missing or was made from other content, or null. */
export async function outdated(cluster: Cluster, objects: readonly KubeObject[]): Promise<string | null> {
  for (const object of objects) {
    const found = await cluster.get(refOf(object));
    const name = `${object.kind} ${object.metadata.name}`;
    if (found === null) return `${name} is missing`;
    if (found.metadata.annotations?.[annotation] !== withRevision(object).metadata.annotations?.[annotation]) return `${name} has other content`;
  }
  return null;
}
