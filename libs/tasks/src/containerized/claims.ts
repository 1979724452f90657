import type { Cluster, KubeObject, ObjectRef } from '../ports/cluster';
import type { ReleaseRef, Releases } from '../ports/releases';
import { fieldOf } from './gates';
import { headOf, placed, workloadsOf } from './stopped';

/** Helm leaves an object with this alone when it would delete it. */
export const keepAnnotation = 'helm.sh/resource-policy';
/** Says of a claim whose data it holds, also when the release is gone. */
const releaseLabel = 'strata.local/release';
const dataKinds = new Set(['PersistentVolumeClaim', 'PersistentVolume']);
/** How Helm is told what to leave: `KIND/NAME`. */
const keyOf = ({ kind, name }: { kind: string; name: string }): string => `${kind}/${name}`;
const at = (ref: ObjectRef, of: ReleaseRef): ObjectRef => (ref.kind === 'PersistentVolume' ? ref : placed(ref, of));

/** What holds data in a release as Helm knows it: a chart may make its claims itself. */
const dataIn = async (releases: Releases, of: ReleaseRef): Promise<ObjectRef[]> => (await releases.objects(of)).filter((o) => dataKinds.has(o.kind));
export const dataKeys = async (releases: Releases, of: ReleaseRef): Promise<string[]> => (await dataIn(releases, of)).map(keyOf);

/** An upgrade or a way back to a revision without these claims leaves them: data go only where somebody says so. */
export async function keepData({ cluster, control }: { cluster: Cluster; control: { releases: Releases } }, of: ReleaseRef): Promise<void> {
  for (const ref of await dataIn(control.releases, of)) {
    const found = await cluster.get(at(ref, of));
    if (!found || found.metadata.annotations?.[keepAnnotation] !== undefined) continue;
    const { metadata, ...head } = headOf({ ...found, apiVersion: ref.apiVersion, kind: ref.kind });
    await cluster.patch({ ...head, metadata: { ...metadata, annotations: { [keepAnnotation]: 'keep' } } });
  }
} // prettier-ignore

const list = ({ namespace }: ReleaseRef): { apiVersion: string; kind: string; namespace: string } => ({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace }); // prettier-ignore
const isMarked = (claim: KubeObject, { release }: ReleaseRef): boolean =>
  claim.metadata.labels?.[releaseLabel] === release || claim.metadata.annotations?.['meta.helm.sh/release-name'] === release;

/** The claims that are known to be a release's, by name, also when the release is gone. */
export async function claimsOf(cluster: Cluster, of: ReleaseRef): Promise<string[]> {
  return (await cluster.list(list(of))).filter((c) => isMarked(c, of)).map((c) => c.metadata.name);
}
/** What Helm must not delete of an install that fails: it was there before. */
export const claimsThere = async (cluster: Cluster, of: ReleaseRef): Promise<string[]> =>
  (await claimsOf(cluster, of)).map((name) => keyOf({ kind: 'PersistentVolumeClaim', name }));

/** Marks every claim of a release: those that its chart makes, and those that its StatefulSets asked for. Gives their names. */
export async function markClaims(cluster: Cluster, releases: Releases, of: ReleaseRef): Promise<string[]> {
  const own = new Set((await dataIn(releases, of)).map((o) => o.name));
  const asked = (await workloadsOf(cluster, releases, of)).flatMap(templatesOf);
  const found: string[] = [];
  for (const claim of await cluster.list(list(of))) {
    const { name, namespace } = claim.metadata;
    const isOurs = isMarked(claim, of) || own.has(name) || asked.some((prefix) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)));
    if (!isOurs) continue;
    found.push(name);
    if (claim.metadata.labels?.[releaseLabel] !== of.release)
      await cluster.patch({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: { [releaseLabel]: of.release } } }); // prettier-ignore
  }
  return found;
}
/** How the claims of a StatefulSet begin: the number of a pod follows. */
function templatesOf(o: KubeObject): string[] {
  const templates = fieldOf(o, 'spec.volumeClaimTemplates');
  return o.kind === 'StatefulSet' && Array.isArray(templates) ? (templates as KubeObject[]).map((t) => `${t.metadata.name}-${o.metadata.name}-`) : [];
}
export const claimRef = (name: string, { namespace }: ReleaseRef): ObjectRef => ({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace });
