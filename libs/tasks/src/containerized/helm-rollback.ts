import { Gate, Name } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';
import { awaitGates } from './await-gates';
import { claimsThere, keepData } from './claims';
import { closedGate } from './gates';
import { backTo, gaveBack, goodRevision, isJudged, limitsOf, newest, noApp, noteNewestGood, ownGates, recovered, wakeAll } from './helm-release';
import { readNote } from './release-note';

/** As Helm says it of a revision that came of a rollback. */
const descriptionOf = (to: number): string => `Rollback to ${to}`;

/** A release as it was in an earlier revision, proven as any other; one that does not come up goes back to the last that worked. Data are not rolled back. */
export const helmRollback = defineServerTask({
  name: 'helm.rollback', version: 1, layer: 'containerized', timeout: '100m', attempts: 2,
  title: 'A release is again as it was in an earlier revision, and works',
  input: z.strictObject({ release: Name, namespace: Name, to: z.int().positive(), from: z.int().positive(), timeoutMs: z.int(), gates: z.array(Gate).default([]) }), // from: the newest revision when it was asked for
  before: z.strictObject({ good: z.int(), data: z.array(z.string()).default([]) }),
  output: z.strictObject({ revision: z.int() }),
  async check(c) {
    const last = await newest(c);
    if (!last) throw noApp(c.input);
    const reason = !isBack(last, c.input) ? `${c.input.release} is at revision ${last.revision}` : (await goodRevision(c)) !== last.revision ? 'it was not proven yet' : (await closedGate(c.cluster, await ownGates(c)))?.words ?? null;
    if (reason === null) return { state: 'satisfied', output: { revision: last.revision } };
    return { state: 'unsatisfied', reason, before: { good: await goodRevision(c), data: await claimsThere(c.cluster, c.input) } };
  },
  async apply(c) {
    const { input } = c;
    const last = await recovered(c, c.before.data);
    const isThere = last !== null && isBack(last, input);
    try {
      if (!isThere) {
        c.progress(null, `Helm takes ${input.release} back to revision ${input.to}`);
        await keepData(c, input);
        await c.control.releases.rollback(input, input.to, limitsOf(c));
      }
      await wakeAll(c);
      await awaitGates(c, { what: `release ${input.release} to work as in revision ${input.to}`, gates: [...(await ownGates(c)), ...input.gates], timeoutMs: input.timeoutMs });
      await noteNewestGood(c, input.to);
    } catch (error) {
      if (isJudged(error) && !c.signal.aborted) throw await gaveBack(c, error, c.before.data);
      throw error;
    }
  },
  async undo(c) {
    const { made } = await readNote(c.cluster, c.input);
    const good = c.before.good;
    if (good === 0 || (await newest(c)) === null) return;
    await backTo(c, good);
    if (made.has(good)) await noteNewestGood(c, good);
  },
}); // prettier-ignore
const isBack = (last: { revision: number; status: string; description: string }, { from, to }: { from: number; to: number }): boolean =>
  last.revision > from && last.status === 'deployed' && last.description === descriptionOf(to);
