import { Name } from '@strata/model';
import { z } from 'zod';
import { defineServerTask, type ServerContext } from '../define-task';
import type { KubeObject } from '../ports/cluster';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { awaitGates } from './await-gates';
import { fieldOf, closedGate } from './gates';
import { noApp, ownGates } from './helm-release';
import { halt, headOf, isHalted, isStopped, isWorkload, lookAmong, stillRuns, stoppedNote, wake } from './stopped';

const Ref = { release: Name, namespace: Name, timeoutMs: z.int() };
type Context = Pick<
  ServerContext<{ release: string; namespace: string; timeoutMs: number }>,
  'cluster' | 'control' | 'input' | 'clock' | 'signal' | 'progress'
>;
type Few = Pick<Context, 'cluster' | 'control' | 'input'>;

/** Its workloads that are there, and those that somebody took away. @throws TaskError where there is no such release */
async function look({ cluster, control, input }: Few): ReturnType<typeof lookAmong> {
  if ((await control.releases.newest(input)) === null) throw noApp(input);
  const refs = (await control.releases.objects(input)).filter((o) => isWorkload(o.kind));
  return lookAmong(refs, cluster, input);
}
/** What runs of the release. @throws TaskError where there is no such release */
const workloads = async (c: Few): Promise<KubeObject[]> => (await look(c)).workloads;
/** The same, where nothing of it was taken away. @throws TaskError, for what is not there never comes up */
async function whole(c: Few): Promise<KubeObject[]> {
  const found = await look(c);
  if (found.lost.length === 0) return found.workloads;
  const { release, namespace } = c.input;
  const remedy = `make it again first: \`strata apply\` where the spec has it, else strata app upgrade ${release} --namespace ${namespace}`;
  throw new TaskError('app-incomplete', `${found.lost.join(', ')} of ${release} is not there: somebody took it away`, { remedy });
}
const nameOf = (o: KubeObject): string => `${o.kind}/${o.metadata.name}`;
const gatesOf = (c: Few): ReturnType<typeof ownGates> => ownGates({ ...c, input: { ...c.input, gates: [] } });
async function works(c: Context): Promise<void> {
  await awaitGates(c, { what: `${c.input.release} to work`, gates: await gatesOf(c), timeoutMs: c.input.timeoutMs });
}

/** Nothing of an application runs any more; its objects and its data stay. What each workload had is noted at it in the same write. */
export const appStop = defineServerTask({
  name: 'app.stop', version: 1, layer: 'containerized', timeout: '35m', attempts: 3,
  title: 'The application is stopped, and keeps its data',
  input: z.strictObject({ ...Ref, at: z.int() }), // when it was asked for; ms since 1970
  before: z.strictObject({ ran: z.array(z.string()) }), // KIND/NAME of those that this step stops
  output: z.strictObject({}),
  async check(c) {
    const all = await workloads(c);
    const runs = all.filter((o) => !isHalted(o));
    const reason = runs.length > 0 ? `${runs.map(nameOf).join(', ')} of ${c.input.release} runs` : await stillRuns(c.cluster, all);
    return reason === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason, before: { ran: runs.map(nameOf) } };
  },
  async apply(c) {
    const { cluster, input, clock, signal, progress } = c;
    for (const o of await workloads(c)) if (!isHalted(o)) await halt(cluster, o, input.at);
    let words = '';
    const wait = { what: `the pods of ${input.release} to end`, timeoutMs: input.timeoutMs, everyMs: 500, signal, code: 'still-running', remedy: 'see why they do not end (`strata pods`), then retry the step', note: () => words };
    await until(clock, wait, async () => {
      const now = await stillRuns(cluster, await workloads(c));
      if (now === null) return true;
      if (now !== words) progress(null, now);
      words = now;
      return null;
    });
  },
  async undo(c) {
    for (const o of await workloads(c)) if (c.before.ran.includes(nameOf(o))) await wake(c.cluster, o);
  },
}); // prettier-ignore

/** What was stopped runs as it did before, and works. */
export const appStart = defineServerTask({
  name: 'app.start', version: 1, layer: 'containerized', timeout: '35m', attempts: 3,
  title: 'The application runs again as before it was stopped',
  input: z.strictObject(Ref),
  before: z.strictObject({ stopped: z.array(z.string()), at: z.int() }), // KIND/NAME of those that this step starts
  output: z.strictObject({}),
  async check(c) {
    const stopped = (await whole(c)).filter((o) => stoppedNote(o) !== null);
    const reason = stopped.length > 0 ? `${stopped.map(nameOf).join(', ')} of ${c.input.release} is stopped` : (await closedGate(c.cluster, await gatesOf(c)))?.words ?? null;
    const at = Math.min(...stopped.map((o) => stoppedNote(o)?.at ?? 0), Number.MAX_SAFE_INTEGER);
    return reason === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason, before: { stopped: stopped.map(nameOf), at: stopped.length > 0 ? at : 0 } };
  },
  async apply(c) {
    for (const o of await workloads(c)) await wake(c.cluster, o);
    await works(c);
  },
  async undo(c) {
    for (const o of await workloads(c)) if (c.before.stopped.includes(nameOf(o)) && !isHalted(o)) await halt(c.cluster, o, c.before.at);
  },
}); // prettier-ignore

const restartedAnnotation = 'strata.local/restarted';
const restartOf = (o: KubeObject): unknown => ((fieldOf(o, 'spec.template.metadata.annotations') ?? {}) as Record<string, unknown>)[restartedAnnotation];
/** Every pod of an application is made anew, by its workload's own rules for that. */
export const appRestart = defineServerTask({
  name: 'app.restart', version: 1, layer: 'containerized', timeout: '35m', attempts: 3,
  title: 'Every pod of the application is made anew',
  input: z.strictObject({ ...Ref, run: z.string() }), // a restart is asked for once by each run
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check(c) {
    const all = await whole(c);
    if (isStopped(all)) throw new TaskError('app-stopped', `${c.input.release} is stopped`, { remedy: `start it: strata app start ${c.input.release} --namespace ${c.input.namespace}` });
    const old = all.filter((o) => rolls(o) && restartOf(o) !== c.input.run);
    const reason = old.length > 0 ? `${old.map(nameOf).join(', ')} was not restarted yet` : (await closedGate(c.cluster, await gatesOf(c)))?.words ?? null;
    return reason === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason, before: {} };
  },
  async apply(c) {
    for (const o of await workloads(c)) {
      if (!rolls(o) || restartOf(o) === c.input.run) continue;
      await c.cluster.patch({ ...headOf(o), spec: { template: { metadata: { annotations: { [restartedAnnotation]: c.input.run } } } } });
    }
    await works(c);
  },
  undo: { never: 'the pods of before are gone; those of now are made of the same' },
}); // prettier-ignore
/** A CronJob has no pods of its own, and what is halted has none. */
const rolls = (o: KubeObject): boolean => o.kind !== 'CronJob' && !isHalted(o);
