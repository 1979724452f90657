import { driftOf, type Host, keepWritten, readWritten, writtenAfter, writtenBy } from '@strata/tasks';

let last: Promise<unknown> = Promise.resolve();
/** One after the other: orders run side by side, and all write one file. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const next = last.then(work, work);
  last = next.catch(() => undefined);
  return next;
}

/** The paths that are as Strata wrote them: asked ahead of a change, so that what the change rewrites is not taken for somebody else's hand. */
export async function rightNow(host: Host): Promise<Set<string>> {
  const known = await readWritten(host);
  const { missing, changed } = await driftOf(host, known);
  return new Set(Object.keys(known).filter((path) => !missing.includes(path) && !changed.includes(path)));
}

/** Keeps how a step's files are when it ended well, by which a doctor knows what was changed since. */
export const stepWrote = (host: Host, o: { step: string; task: string; befores: readonly unknown[]; wasRight: ReadonlySet<string> }): Promise<void> =>
  inTurn(async () => {
    const [known, own] = [await readWritten(host), await writtenBy(host, o)];
    const next = await writtenAfter(host, { known, own, ...o });
    if (JSON.stringify(next) !== JSON.stringify(known)) await keepWritten(host, next);
  });

/** Forgets a step's files: they were taken back, and what else the undo changed is right as it is. */
export const stepTakenBack = (host: Host, o: { step: string; wasRight: ReadonlySet<string> }): Promise<void> =>
  inTurn(async () => {
    const known = await readWritten(host);
    if (Object.keys(known).length === 0) return;
    await keepWritten(host, await writtenAfter(host, { known, own: {}, ...o }));
  });
