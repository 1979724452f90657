import { ClusterName } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext, secretInput } from '../define-task';
import { info } from '../native/findings';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { ask } from './metadata-ask';
import { Counts, countsHere, countsOf, countsWords, noteCounts } from './metadata-counts';
import { beRole, replication, roleHere } from './metadata-peer';
import { RunId } from './run-id';
import { noteVolume } from './storage-format';
import { guardPaths, metadataPaths } from './storage-paths';

const Input = z.strictObject({ run: RunId, cluster: ClusterName, admin: secretInput(), counts: Counts });
type Context = NodeContext<z.infer<typeof Input>>;
/** Nothing may be less than it was when the other machine stopped to answer writes. The beat has gone on since. */
export const lacking = (was: Counts, is: Counts): string[] =>
  (Object.keys(was) as (keyof Counts)[]).filter((key) => (key === 'beat' ? is[key] < was[key] : is[key] !== was[key])).map((key) => `${key} was ${was[key]} and is ${is[key]}`); // prettier-ignore
const led = async ({ host, input }: Context): Promise<Counts | null> =>
  (await roleHere(host)) === 'primary' ? countsOf(host, guardPaths.led, input.run) : null;
const said = (counts: Counts) =>
  info('storage.switched', `nothing was lost: this machine has what the other one had when writes stopped (${countsWords(counts)})`);

/** It ends by itself, should nobody end it. */
const pauseMs = 60_000;
/** The other half of the planned switch: what was a replica is noted as the primary, with every number that the other one had. Writes wait. */
export const metadataLead = defineTask({
  name: 'metadata.lead', version: 1, layer: 'native', timeout: '3m', attempts: 3,
  title: 'The metadata of this machine are the primary, and have all',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({ counts: Counts }),
  async check(c) {
    const counts = await led(c);
    return counts ? { state: 'satisfied', output: { counts }, findings: [said(counts)] } : { state: 'unsatisfied', reason: 'they are a replica', before: {} };
  },
  async apply(c) {
    const { host, input } = c;
    if ((await replication(c)).get('role') !== 'master') await ask(c, ['REPLICAOF NO ONE']); // begun anew since it took the lead
    const is = await countsHere(c);
    const less = lacking(input.counts, is);
    if (less.length > 0)
      throw new TaskError('not-all', `the metadata of this machine are not those that the other one had: ${less.join(', ')}`, {
        remedy: `nobody was let in here. The other machine has a copy of its own: \`strata storage restore --from current\` after reading \`journalctl -u ${metadataPaths.unit}\` on both`,
      }); // prettier-ignore
    await ask(c, [`CLIENT PAUSE ${pauseMs} WRITE`]); // until nobody asks the other machine any more
    await beRole(host, 'primary');
    await host.files.remove(guardPaths.alone);
    await noteVolume(host, input.cluster);
    await noteCounts(host, guardPaths.led, { run: input.run, counts: is });
  },
  async verify({ host }) {
    const remedy = `read \`journalctl -u ${metadataPaths.unit}\` on this machine, then retry the step`;
    await must(host, ['sh', metadataPaths.guard, 'open'], { timeoutMs: 60_000, remedy });
  },
  undo: { never: 'another drill gives the lead back' },
}); // prettier-ignore
