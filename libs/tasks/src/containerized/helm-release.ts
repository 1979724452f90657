import { canonicalJson, ChartValues, type Finding, Gate, Made, ManifestObject, Name, Sha256 } from '@strata/model';
import { z } from 'zod';
import { defineServerTask, type ServerContext } from '../define-task';
import { outdated, withRevision } from '../orchestration/revision';
import type { KubeObject, ObjectRef } from '../ports/cluster';
import type { ReleaseRef, Revision } from '../ports/releases';
import { shortHash } from '../short-hash';
import { TaskError } from '../task-error';
import { awaitGates } from './await-gates';
import { keepData, claimsThere } from './claims';
import { closedGate } from './gates';
import { noteGood, noteRef, readNote } from './release-note';
import { hasSeen, replaceStuck } from './stuck-pods';
import { isHalted, isStopped, isWorkload, lookAmong, placed, stoppedNote, wake, workloadsAmong, workloadsOf } from './stopped';

const Input = z.strictObject({
  bundle: Name,
  release: Name,
  namespace: Name,
  chart: z.string().regex(/^charts\/[a-z0-9][a-z0-9-]*$/),
  digest: Sha256, // of the chart's files: what the plan was made of
  values: ChartValues,
  resources: z.array(ManifestObject), // of an operator: applied when it runs
  gates: z.array(Gate),
  onFailure: z.enum(['rollback', 'hold']),
  timeoutMs: z.int(),
  made: Made.optional(), // noted beside the release when it is proven
});
type Input = z.infer<typeof Input>;
/** What every step that deals with a release knows of it. */
export type OfRelease = ReleaseRef & { timeoutMs: number; gates: readonly Gate[] };
export type ReleaseContext<I extends OfRelease = OfRelease> = Pick<ServerContext<I>, 'cluster' | 'control' | 'input' | 'clock' | 'signal' | 'progress' | 'log'>;
type Context = ReleaseContext<Input>;
type Few = Pick<ReleaseContext, 'cluster' | 'control' | 'input'>;

/** Says in Helm's own history which content a revision was made of. */
const descriptionOf = ({ bundle, chart, digest, values }: Input): string => `${bundle} ${chart} ${shortHash(canonicalJson({ digest, values }))}`;
const isPending = ({ status }: Revision): boolean => status.startsWith('pending-') || status === 'uninstalling';

export const limitsOf = ({ input, signal }: Pick<ReleaseContext, 'input' | 'signal'>): { timeoutMs: number; signal: AbortSignal } => ({
  timeoutMs: input.timeoutMs,
  signal,
});
export const noApp = ({ release, namespace }: ReleaseRef): TaskError =>
  new TaskError('no-app', `there is no application ${release} in ${namespace}`, { remedy: 'see which there are: strata app list' });
/** Whether a failure says that the content does not work; an API that does not answer proves nothing: the step is tried again, and finds what is there. */
export const isJudged = (error: unknown): error is TaskError => error instanceof TaskError && ['gate-closed', 'helm-failed'].includes(error.code);

/** The newest revision, whatever became of it. */
export const newest = ({ control, input }: Pick<Few, 'control' | 'input'>): Promise<Revision | null> => control.releases.newest(input);
/** To a revision that was proven, or away where there is none; claims that were there before it stay. */
export async function backTo(c: Few & Pick<ReleaseContext, 'signal' | 'clock'>, good: number, data: readonly string[] = []): Promise<void> {
  if (good > 0) {
    await keepData(c, c.input);
    await c.control.releases.rollback(c.input, good, limitsOf(c));
    const all = await workloadsOf(c.cluster, c.control.releases, c.input);
    for (const o of all) await wake(c.cluster, o);
    for (const o of all) if (o.kind === 'StatefulSet') await unstuck(c, { name: o.metadata.name, namespace: o.metadata.namespace ?? c.input.namespace });
  } else await c.control.releases.uninstall(c.input, limitsOf(c), { keep: data });
}
/** A StatefulSet that goes back keeps the broken pod of the revision that it leaves, until somebody takes that away. */
async function unstuck(
  { cluster, clock, signal }: Pick<ReleaseContext, 'cluster' | 'clock' | 'signal'>,
  of: { name: string; namespace: string },
): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    const found = await cluster.get({ apiVersion: 'apps/v1', kind: 'StatefulSet', ...of });
    if (!found || hasSeen(found)) break;
    await clock.sleep(500, signal);
  }
  await replaceStuck(cluster, clock, of);
}
export const goodRevision = async ({ cluster, input }: Pick<Few, 'cluster' | 'input'>): Promise<number> => (await readNote(cluster, input)).good;

/** What a release makes is waited for without being asked: its workloads (but those that were stopped), its Jobs, its definitions. */
export async function ownGates({ cluster, control: { releases }, input: of }: Few): Promise<Gate[]> {
  const refs = await releases.objects(of);
  return gatesAmong(refs, await workloadsAmong(refs, cluster, of), of);
}
function gatesAmong(refs: readonly ObjectRef[], workloads: readonly KubeObject[], of: ReleaseRef): Gate[] {
  const halted = workloads.filter(isHalted);
  return refs.flatMap((ref): Gate[] => {
    const { apiVersion, kind, name, namespace = of.namespace } = placed(ref, of);
    if (halted.some((o) => o.kind === kind && o.metadata.name === name)) return [];
    if (isWorkload(kind) && kind !== 'CronJob') return [{ rollout: { apiVersion, kind: kind as 'Deployment', name, namespace } }];
    if (kind === 'Job') return [{ complete: { name, namespace } }];
    return kind === 'CustomResourceDefinition' ? [{ established: name }] : [];
  });
}
const resources = (input: Input): KubeObject[] => input.resources;

/** What is missing in what is noted of the release, or null. */
async function unproven({ cluster, input }: Pick<Context, 'cluster' | 'input'>, last: Revision | null): Promise<string | null> {
  if (!last) return `the release ${input.release} is not there`;
  if (last.status !== 'deployed') return `the release ${input.release} is ${last.status}`;
  if (last.description !== descriptionOf(input)) return `the release ${input.release} was made of other content`;
  const note = await readNote(cluster, input);
  if (note.good !== last.revision) return `the release ${input.release} was not proven yet`;
  const isNoted = !input.made || canonicalJson(note.made.get(last.revision) ?? null) === canonicalJson(input.made);
  return isNoted ? null : `it is not noted what the release ${input.release} was made of`;
}
/** What is missing for the release to work, or null; one that is stopped lacks nothing, as it was asked to be: `strata app stop`. */
async function missing({ cluster, control, input }: Pick<Context, 'cluster' | 'control' | 'input'>): Promise<{ reason: string | null; stopped: boolean }> {
  const refs = await control.releases.objects(input);
  const { workloads, lost } = await lookAmong(refs, cluster, input);
  if (lost.length > 0) return { reason: `${lost.join(', ')} of the release ${input.release} is not there`, stopped: false };
  if (isStopped(workloads)) return { reason: null, stopped: true };
  const gates = [...gatesAmong(refs, workloads, input), ...input.gates];
  return { reason: (await outdated(cluster, resources(input))) ?? (await closedGate(cluster, gates))?.words ?? null, stopped: false };
}

/**
 * A chart of a bundle under its name. One that does not come up goes back to the last revision that did, or away where there is none: nothing half-installed
 * stays, and the error names pod, container and cause.
 */
export const helmRelease = defineServerTask({
  name: 'helm.release', version: 1, layer: 'containerized', timeout: '100m', attempts: 2,
  title: 'A chart of a bundle is released, and what it makes works',
  input: Input,
  before: z.strictObject({
    good: z.int(), // the revision that was proven before; 0: there was none
    data: z.array(z.string()).default([]), // claims that were there before: they stay, whatever happens to the release
  }),
  output: z.strictObject({ revision: z.int() }),
  async check(c) {
    const last = await newest(c);
    const noted = await unproven(c, last);
    const { reason, stopped } = noted === null ? await missing(c) : { reason: noted, stopped: false };
    if (reason !== null) return { state: 'unsatisfied', reason, before: { good: await goodRevision(c), data: await claimsThere(c.cluster, c.input) } };
    return { state: 'satisfied', output: { revision: last?.revision ?? 0 }, findings: stopped ? [stoppedFinding(c.input)] : [] };
  },
  async apply(c) {
    const { data } = c.before;
    const last = await recovered(c, data);
    const planned = last?.status === 'deployed' && last.description === descriptionOf(c.input);
    const same = planned && (await lookAmong(await c.control.releases.objects(c.input), c.cluster, c.input)).lost.length === 0; // Helm makes again what somebody took away
    const proven = planned && (await goodRevision(c)) === last.revision;
    try {
      if (!same) await upgrade(c, last);
      await prove(c);
    } catch (error) {
      if (isJudged(error) && !proven && c.input.onFailure === 'rollback' && !c.signal.aborted) throw await gaveBack(c, error, data);
      throw error;
    }
  },
  async undo(c) {
    const good = (await newest(c)) === null ? 0 : c.before.good;
    await backTo(c, good, c.before.data);
    if (good === 0) await c.cluster.delete(noteRef(c.input));
  },
}); // prettier-ignore

/** `last`: what is there of it. A first install has nothing to keep, and nothing that was stopped. */
async function upgrade(c: Context, last: Revision | null): Promise<void> {
  c.progress(null, `Helm releases ${c.input.release}`);
  const { bundle, chart, digest, values } = c.input;
  if (last !== null) await keepData(c, c.input);
  await c.control.releases.upgrade(c.input, { bundle, chart, digest, values, description: descriptionOf(c.input) }, limitsOf(c));
  if (last !== null) await wakeAll(c);
}
/** A new revision runs, also of an application that was stopped: whoever wants other content of it wants it to work, and it cannot be proven otherwise. */
export async function wakeAll(c: Pick<ReleaseContext, 'cluster' | 'control' | 'input' | 'progress' | 'log'>): Promise<void> {
  const stopped = (await workloadsOf(c.cluster, c.control.releases, c.input)).filter((o) => stoppedNote(o) !== null);
  if (stopped.length === 0) return;
  const words = `${c.input.release} was stopped, and is started with this revision`;
  c.progress(null, words);
  c.log(words);
  for (const o of stopped) await wake(c.cluster, o);
}
/** What an apply says of a release that is as planned, but stopped: it stays so. */
const stoppedFinding = ({ release, namespace }: ReleaseRef): Finding => ({
  severity: 'info',
  code: 'app.stopped',
  message: `${namespace}/${release} is stopped, and stays so`,
  remedy: `strata app start ${release} --namespace ${namespace}`,
});
/** All that the release makes works; an operator's resources come when it does itself. */
async function prove(c: Context): Promise<void> {
  const { cluster, input } = c;
  const wait = { what: `release ${input.release} of ${input.bundle} to work`, timeoutMs: input.timeoutMs };
  await awaitGates(c, { ...wait, gates: await ownGates(c) });
  if ((await outdated(cluster, resources(input))) !== null) await cluster.apply(resources(input).map(withRevision));
  await awaitGates(c, { ...wait, gates: input.gates });
  await noteNewestGood(c, input.made);
}
/** Notes that the newest revision works; `made`: of what, or as which proven one. */
export async function noteNewestGood(c: Few, made: Made | number | undefined): Promise<void> {
  const last = await newest(c);
  if (!last) return;
  const of = typeof made === 'number' ? (await readNote(c.cluster, c.input)).made.get(made) : made;
  await noteGood(c.cluster, c.input, { revision: last.revision, made: of });
}

/** Takes a release that did not come up back to the last proven revision. @returns the error with what was done about it */
export async function gaveBack(c: ReleaseContext, error: TaskError, data: readonly string[]): Promise<TaskError> {
  const { input, log, progress } = c;
  const words = await backToGood(c, data);
  progress(null, `${input.release}: ${words}`);
  log(`release ${input.release}: ${words}`);
  return new TaskError(error.code, `${error.message}; ${words}`, { remedy: error.remedy, cause: error });
}
async function backToGood(c: ReleaseContext, data: readonly string[]): Promise<string> {
  const good = await goodRevision(c);
  const last = await newest(c);
  if (!last) return 'nothing of it was installed';
  if (last.revision === good && last.status === 'deployed') return `revision ${good}, which works, was not touched`; // Helm refused before it changed anything
  await backTo(c, good, data);
  if (good === 0) return 'it was taken away again: no revision of it ever worked';
  await noteNewestGood(c, good);
  return `it went back to revision ${good}, the last one that worked`;
}

/**
 * The newest revision, when nobody is at it any more. One that a dead client left in the midst of something is put in order first: Helm's record of it has
 * to stay unchanged for the whole time that whoever wrote it was given, and longer orders of ours than this one are over (one server, one run of a cluster,
 * one attempt of a step).
 */
export async function recovered(c: ReleaseContext, data: readonly string[]): Promise<Revision | null> {
  const { control: { releases }, input, clock, signal, progress, log } = c;
  const last = await newest(c);
  if (!last || !isPending(last)) return last;
  let seen = await releases.written(input, last.revision);
  let quietSince = seen?.at ?? 0;
  while (clock.now() < quietSince + input.timeoutMs) {
    const left = Math.ceil((quietSince + input.timeoutMs - clock.now()) / 1000);
    progress(null, `${input.release} is ${last.status}: whoever began that may still be at it; ${left} s more without a sign of them are waited for`);
    await clock.sleep(2000, signal);
    const now = await releases.written(input, last.revision);
    if (now?.version !== seen?.version) quietSince = clock.now();
    seen = now;
  }
  const after = await newest(c);
  if (!after || !isPending(after)) return after;
  const good = await goodRevision(c);
  log(`release ${input.release} was left ${last.status} by somebody who is gone; it goes ${good > 0 ? `back to revision ${good}` : 'away first'}`);
  await backTo(c, good, data);
  return newest(c);
} // prettier-ignore
