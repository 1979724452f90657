import { canonicalJson } from '@strata/model';
import type { Cluster, KubeObject, ObjectRef } from '../ports/cluster';
import { shortHash } from '../short-hash';

const annotation = 'strata.local/revision';

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
