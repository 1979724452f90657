import { canonicalJson, ChartValues, Gate, ManifestObject, Name, Sha256 } from '@strata/model';
import { z } from 'zod';
import { defineServerTask, type ServerContext } from '../define-task';
import { outdated, withRevision } from '../orchestration/revision';
import type { KubeObject, ObjectRef } from '../ports/cluster';
import type { Releases, Revision } from '../ports/releases';
import { shortHash } from '../short-hash';
import { TaskError } from '../task-error';
import { awaitGates } from './await-gates';
import { closedGate } from './gates';

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
});
type Input = z.infer<typeof Input>;
type Context = Pick<ServerContext<Input>, 'cluster' | 'control' | 'input' | 'clock' | 'signal' | 'progress' | 'log'>;

/** Says in Helm's own history which content a revision was made of. */
const descriptionOf = ({ bundle, chart, digest, values }: Input): string => `${bundle} ${chart} ${shortHash(canonicalJson({ digest, values }))}`;
const isPending = ({ status }: Revision): boolean => status.startsWith('pending-') || status === 'uninstalling';

const limitsOf = ({ input, signal }: Pick<Context, 'input' | 'signal'>): { timeoutMs: number; signal: AbortSignal } => ({ timeoutMs: input.timeoutMs, signal });
/** The newest revision, whatever became of it. */
const newest = async ({ control, input }: Pick<Context, 'control' | 'input'>): Promise<Revision | undefined> => (await control.releases.history(input)).at(-1);
/** To a revision that was proven, or away where there is none. */
async function backTo(c: Pick<Context, 'control' | 'input' | 'signal'>, good: number): Promise<void> {
  if (good > 0) await c.control.releases.rollback(c.input, good, limitsOf(c));
  else await c.control.releases.uninstall(c.input, limitsOf(c));
}

/** The last revision whose gates were all open, as we know it: a note beside the release. */
const noteRef = ({ release, namespace }: Input): ObjectRef => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: `strata-release-${release}` });
async function goodRevision({ cluster, input }: Pick<Context, 'cluster' | 'input'>): Promise<number> {
  const data = (await cluster.get(noteRef(input)))?.['data'] as { good?: string } | undefined;
  return Number(data?.good ?? 0);
}
async function noteGood({ cluster, input }: Pick<Context, 'cluster' | 'input'>, revision: number): Promise<void> {
  const { apiVersion, kind, name, namespace } = noteRef(input);
  const labels = { 'app.kubernetes.io/managed-by': 'strata' };
  await cluster.apply([{ apiVersion, kind, metadata: { name, namespace: namespace ?? 'default', labels }, data: { good: String(revision) } }]);
}

const workloads = new Set(['Deployment', 'DaemonSet', 'StatefulSet']);
/** What a release makes is waited for without being asked: its workloads, its Jobs, its definitions. */
async function ownGates(releases: Releases, input: Input): Promise<Gate[]> {
  const objects = await releases.objects(input);
  return objects.flatMap(({ apiVersion, kind, name, namespace = input.namespace }): Gate[] => {
    if (workloads.has(kind)) return [{ rollout: { apiVersion, kind: kind as 'Deployment', name, namespace } }];
    if (kind === 'Job') return [{ complete: { name, namespace } }];
    return kind === 'CustomResourceDefinition' ? [{ established: name }] : [];
  });
}
const resources = (input: Input): KubeObject[] => input.resources;

/** What is missing for the release to be as planned, or null. */
async function missing(c: Pick<Context, 'cluster' | 'control' | 'input'>, last: Revision | undefined): Promise<string | null> {
  const { cluster, control, input } = c;
  if (!last) return `the release ${input.release} is not there`;
  if (last.status !== 'deployed') return `the release ${input.release} is ${last.status}`;
  if (last.description !== descriptionOf(input)) return `the release ${input.release} was made of other content`;
  if ((await goodRevision(c)) !== last.revision) return `the release ${input.release} was not proven yet`;
  const gates = [...(await ownGates(control.releases, input)), ...input.gates];
  return (await outdated(cluster, resources(input))) ?? (await closedGate(cluster, gates))?.words ?? null;
}

/**
 * A chart of a bundle under its name. One that does not come up goes back to the last revision that did, or away where there is none: nothing half-installed
 * stays, and the error names pod, container and cause.
 */
export const helmRelease = defineServerTask({
  name: 'helm.release', version: 1, layer: 'containerized', timeout: '100m', attempts: 2,
  title: 'A chart of a bundle is released, and what it makes works',
  input: Input,
  before: z.strictObject({ good: z.int() }), // the revision that was proven before; 0: there was none
  output: z.strictObject({ revision: z.int() }),
  async check(c) {
    const last = await newest(c);
    const reason = await missing(c, last);
    return reason === null ? { state: 'satisfied', output: { revision: last?.revision ?? 0 } } : { state: 'unsatisfied', reason, before: { good: await goodRevision(c) } };
  },
  async apply(c) {
    const last = await recovered(c);
    const same = last?.status === 'deployed' && last.description === descriptionOf(c.input);
    const proven = same && (await goodRevision(c)) === last.revision;
    try {
      if (!same) await upgrade(c);
      await prove(c);
    } catch (error) {
      // an API that does not answer proves nothing: the step is tried again, and finds what is there
      const judged = error instanceof TaskError && ['gate-closed', 'helm-failed'].includes(error.code);
      if (judged && !proven && c.input.onFailure === 'rollback' && !c.signal.aborted) throw await gaveBack(c, error);
      throw error;
    }
  },
  async undo(c) {
    const good = (await newest(c)) === undefined ? 0 : c.before.good;
    await backTo(c, good);
    if (good === 0) await c.cluster.delete(noteRef(c.input));
  },
}); // prettier-ignore

async function upgrade(c: Context): Promise<void> {
  c.progress(null, `Helm releases ${c.input.release}`);
  const { bundle, chart, digest, values } = c.input;
  await c.control.releases.upgrade(c.input, { bundle, chart, digest, values, description: descriptionOf(c.input) }, limitsOf(c));
}
/** All that the release makes works; an operator's resources come when it does itself. */
async function prove(c: Context): Promise<void> {
  const { cluster, control, input } = c;
  const wait = { what: `release ${input.release} of ${input.bundle} to work`, timeoutMs: input.timeoutMs };
  await awaitGates(c, { ...wait, gates: await ownGates(control.releases, input) });
  if ((await outdated(cluster, resources(input))) !== null) await cluster.apply(resources(input).map(withRevision));
  await awaitGates(c, { ...wait, gates: input.gates });
  await noteNewestGood(c);
}
async function noteNewestGood(c: Context): Promise<void> {
  const last = await newest(c);
  if (last) await noteGood(c, last.revision);
}

/** Takes a release that did not come up back to the last proven revision. @returns the error with what was done about it */
async function gaveBack(c: Context, error: TaskError): Promise<TaskError> {
  const { input, log, progress } = c;
  const words = await backToGood(c);
  progress(null, `${input.release}: ${words}`);
  log(`release ${input.release}: ${words}`);
  return new TaskError(error.code, `${error.message}; ${words}`, { remedy: error.remedy, cause: error });
}
async function backToGood(c: Context): Promise<string> {
  const good = await goodRevision(c);
  const last = await newest(c);
  if (!last) return 'nothing of it was installed';
  if (last.revision === good && last.status === 'deployed') return `revision ${good}, which works, was not touched`; // Helm refused before it changed anything
  await backTo(c, good);
  if (good === 0) return 'it was taken away again: no revision of it ever worked';
  await noteNewestGood(c);
  return `it went back to revision ${good}, the last one that worked`;
}

/**
 * The newest revision, when nobody is at it any more. One that a dead client left in the midst of something is put in order first: Helm's record of it has
 * to stay unchanged for the whole time that whoever wrote it was given, and longer orders of ours than this one are over (one server, one run of a cluster,
 * one attempt of a step).
 */
async function recovered(c: Context): Promise<Revision | undefined> {
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
  await backTo(c, good);
  return newest(c);
} // prettier-ignore
