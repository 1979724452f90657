import { canonicalJson, Made } from '@strata/model';
import type { Cluster, KubeObject, ObjectRef } from '../ports/cluster';
import type { ReleaseRef } from '../ports/releases';

/** What Strata notes beside a release, in the cluster itself: which revisions were proven, and what each was made of. */
export interface ReleaseNote {
  /** The newest revision whose gates were all open; 0: there was none. */
  good: number;
  /** Of proven revisions, by number. */
  made: ReadonlyMap<number, Made>;
}
const prefix = 'strata-release-';
const madeKey = 'made-';
/** As many revisions as Helm keeps. */
const kept = 10;
/** What all notes have, so that they can be listed. */
export const noteLabels = { 'app.kubernetes.io/managed-by': 'strata' } as const;

export const noteRef = ({ release, namespace }: ReleaseRef): ObjectRef => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: `${prefix}${release}` });
/** The release that a ConfigMap is the note of, or null. */
export const releaseOfNote = (name: string): string | null => (name.startsWith(prefix) ? name.slice(prefix.length) : null);

/** What a note says; what cannot be read in it counts as not noted. */
export function noteOf(object: KubeObject | null): ReleaseNote {
  const data = (object?.['data'] ?? {}) as Record<string, string>;
  const made = Object.entries(data).flatMap(([key, text]): [number, Made][] => {
    const found = key.startsWith(madeKey) ? Made.safeParse(parsed(text)) : null;
    return found?.success === true ? [[Number(key.slice(madeKey.length)), found.data]] : [];
  });
  return { good: Number(data['good'] ?? 0), made: new Map(made.sort(([a], [b]) => a - b)) };
}
export const readNote = async (cluster: Pick<Cluster, 'get'>, of: ReleaseRef): Promise<ReleaseNote> => noteOf(await cluster.get(noteRef(of)));

/** Notes that a revision was proven, and what it was made of: given, or as an earlier one. */
export async function noteGood(cluster: Cluster, of: ReleaseRef, { revision, made }: { revision: number; made: Made | undefined }): Promise<void> {
  const all = new Map((await readNote(cluster, of)).made);
  if (made) all.set(revision, made);
  const newest = [...all]
    .filter(([n]) => n <= revision)
    .sort(([a], [b]) => a - b)
    .slice(-kept); // a higher one is of a release before this one
  const { apiVersion, kind, name, namespace } = noteRef(of);
  const data = { good: String(revision), ...Object.fromEntries(newest.map(([n, m]) => [`${madeKey}${n}`, canonicalJson(m)])) };
  await cluster.apply([{ apiVersion, kind, metadata: { name, namespace: namespace ?? 'default', labels: noteLabels }, data }]);
}
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
