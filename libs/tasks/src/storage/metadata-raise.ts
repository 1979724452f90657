import { CaPem, ClusterName, MetadataPlace, S3Place } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext, secretInput } from '../define-task';
import { TaskError } from '../task-error';
import { isOursIn, storeOf } from './metadata-external';
import { bucketAgainst, externalJuicefs, missingIn } from './restore-programs';
import { RunId } from './run-id';
import { lossOf, raised, type Report, reported } from './storage-load';
import { mountPaths } from './storage-paths';

const Input = z.strictObject({
  run: RunId,
  cluster: ClusterName,
  external: MetadataPlace,
  password: secretInput(),
  s3: S3Place.optional(), // where the objects are with somebody else, too
  caPem: CaPem.optional(), // else whom to trust for ours
  seen: z.array(z.int()), // the highest slice that each node knew of
});

async function raise(c: NodeContext<z.infer<typeof Input>>): Promise<Report> {
  const { external, cluster, seen, run } = c.input;
  const store = storeOf(c);
  if (!store || !isOursIn((await store.look()).setting, cluster))
    throw new TaskError('no-volume', `there is no volume of this cluster at ${external.url}: there is nothing to make safe`, {
      remedy: 'restore the database with its own tools: every node has left it by now; then retry the step',
    });
  const is = await store.counters();
  const bucket = await bucketAgainst(externalJuicefs(c));
  const missing = await missingIn(externalJuicefs(c));
  const counters = raised([is, { nextchunk: Math.max(bucket.highest, 0, ...seen) }]);
  await store.raise(counters);
  const { lost, lostBytes } = bucket;
  return { run, from: 'current', closed: 'they are with somebody else', before: is.files, after: is.files, lost, lostBytes, missing, counters };
}

/**
 * Metadata of somebody else's, as they are now, made safe after every node has left: no number that was ever given out is given out again. Nobody can be
 * shut out of them from here: what keeps writers away is that each node was seen to leave.
 */
export const metadataRaise = defineTask({
  name: 'metadata.raise', version: 1, layer: 'native', timeout: '90m', attempts: 3,
  title: 'The metadata count above every number in use',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host, input }) {
    const report = await reported(host, input.run, mountPaths.raised);
    if (report === null) return { state: 'unsatisfied', reason: 'numbers that are in use may be given out again', before: {} };
    return { state: 'satisfied', output: {}, findings: lossOf(report) };
  },
  async apply(c) {
    await c.host.files.write(mountPaths.raised, JSON.stringify(await raise(c)), { mode: 0o600 });
  },
  undo: { never: 'a number that was passed over is worth nothing' },
}); // prettier-ignore
