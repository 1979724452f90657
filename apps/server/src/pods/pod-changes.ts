import type { PodNews, PodsView, PodUsage, PodView } from '@strata/model';

/** What is told of a pod, or of the watch. */
export interface Word {
  id: number;
  event: Exclude<PodNews['event'], 'pods'>;
  data: string; // JSON
}
type Seen = Omit<PodsView, 'cluster'>;
/** So many pods that went are remembered: who knows less than that begins anew. */
const mostGone = 1_000;
const ofState = 'state'; // no pod is called so: it has no namespace

/**
 * What changed in the pods of a cluster, since any moment. It keeps the last word on each pod and no more: who is late hears of a pod once, however often it
 * changed, and what is kept does not grow with what happens.
 */
export class PodChanges {
  private readonly words = new Map<string, Word>(); // the oldest first
  private readonly told = new Map<string, PodUsage | null>();
  private readonly gone = new Set<string>(); // the oldest first
  private seen: Seen = { heardAt: 0, behind: null, pods: [] };
  private last = 0;
  private forgotten = 0;

  /** What there is now. Gives whether that is something else than before. */
  take(seen: Seen): boolean {
    const before = this.last;
    if (before === 0 || seen.behind !== this.seen.behind) this.say(ofState, 'state', { heardAt: seen.heardAt, behind: seen.behind });
    this.seen = seen;
    const there = new Set(seen.pods.map(keyOf));
    for (const pod of seen.pods) this.one(pod);
    for (const key of [...this.told.keys()]) if (!there.has(key)) this.went(key);
    return this.last !== before;
  }

  /** All that is known, and up to which word that is. */
  whole(): { id: number; seen: Seen } {
    return { id: this.last, seen: this.seen };
  }
  /** What came after a word, the newest last. Null where that is known no more, and only the whole will do. */
  since(id: number): Iterable<Word> | null {
    return id < this.forgotten || id > this.last ? null : this.after(id);
  }

  private *after(id: number): Generator<Word> {
    for (const word of this.words.values()) if (word.id > id) yield word;
  }
  private one(pod: PodView): void {
    const key = keyOf(pod);
    const told = this.told.get(key) ?? null;
    const word = this.words.get(key);
    if (word?.event === 'pod' && word.data === JSON.stringify(hardlyMoved(told, pod.usage) ? { ...pod, usage: told } : pod)) return;
    this.told.set(key, pod.usage);
    this.gone.delete(key);
    this.say(key, 'pod', pod);
  }
  private went(key: string): void {
    const [namespace, name] = key.split('/');
    this.told.delete(key);
    this.gone.add(key);
    this.say(key, 'gone', { namespace, name });
    const [oldest] = this.gone;
    if (this.gone.size <= mostGone || oldest === undefined) return;
    this.forgotten = this.words.get(oldest)?.id ?? this.forgotten;
    this.words.delete(oldest);
    this.gone.delete(oldest);
  }
  private say(key: string, event: Word['event'], data: object): void {
    this.last += 1;
    this.words.delete(key); // to its end
    this.words.set(key, { id: this.last, event, data: JSON.stringify(data) });
  }
}
const keyOf = ({ namespace, name }: PodView): string => `${namespace}/${name}`;

/** What a pod uses is never twice the same: what is not worth a word. */
function hardlyMoved(told: PodUsage | null, now: PodUsage | null): boolean {
  if (told === null || now === null) return told === now;
  const near = (a: number, b: number, least: number): boolean => Math.abs(a - b) < Math.max(least, a / 20);
  return near(told.cpuMillis, now.cpuMillis, 5) && near(told.memoryBytes, now.memoryBytes, 2 ** 20);
}
