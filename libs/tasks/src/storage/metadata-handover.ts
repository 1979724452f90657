import { metadataPort } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext, secretInput } from '../define-task';
import { blocker } from '../native/findings';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { ask } from './metadata-ask';
import { Counts, countsHere, countsOf, noteCounts } from './metadata-counts';
import { beRole, follows, inStep, Peer, replication, roleHere, roleThere } from './metadata-peer';
import { closedWords } from './metadata-redis';
import { known } from './secrets';
import { RunId } from './run-id';
import { guardPaths, metadataPaths } from './storage-paths';

/** Nobody's write is answered for so long at most, should this end half-way; what waits then is done by the one that is the primary then. */
const pauseMs = 60_000;
const failoverMs = 30_000;
const remedy = `see \`strata storage status\`, and \`journalctl -u ${metadataPaths.unit}\` on both machines, then retry the step`;

const Input = z.strictObject({ run: RunId, admin: secretInput(), peer: z.strictObject({ address: Peer.shape.address, password: secretInput() }) });
type Context = NodeContext<z.infer<typeof Input>>;
const handed = ({ host, input }: Pick<Context, 'host' | 'input'>): Promise<Counts | null> => countsOf(host, guardPaths.handed, input.run);
/** Why nothing can be handed over, or null. */
async function unready(c: Context): Promise<string | null> {
  const closed = (await closedWords(c.host)) ?? (await c.host.files.read(guardPaths.waits))?.trim();
  if (closed !== undefined) return `the metadata let nobody in: ${closed}`;
  const info = await replication(c);
  if (info.get('role') !== 'master') return 'the metadata of this machine are not the primary';
  if ((await c.host.files.stat(guardPaths.alone)) !== null || !inStep(info)) return `the replica on ${c.input.peer.address} is not in step`;
  return null;
}

/** Writes wait, the numbers are noted, and the replica becomes the primary when it has all of it: Redis' own FAILOVER, which gives up otherwise. */
async function giveLead(c: Context): Promise<void> {
  const { host, input, clock, signal } = c;
  const words = await unready(c);
  if (words !== null) throw new TaskError('not-in-step', words, { remedy, retry: true });
  await ask(c, [`CLIENT PAUSE ${pauseMs} WRITE`]);
  try {
    await noteCounts(host, guardPaths.handed, { run: input.run, counts: await countsHere(c) });
    await ask(c, [`FAILOVER TO ${input.peer.address} ${metadataPort} TIMEOUT ${failoverMs}`]);
    const wait = { what: `${input.peer.address} to have all and take the lead`, timeoutMs: failoverMs + 15_000, everyMs: 100, signal, remedy };
    await until(clock, wait, async () => {
      const info = await replication(c);
      if (info.get('role') === 'slave') return true;
      if (info.get('master_failover_state') === 'no-failover') throw new TaskError('not-handed', `the replica on ${input.peer.address} did not take the lead: this machine keeps it`, { remedy, retry: true });
      return null;
    }); // prettier-ignore
  } finally {
    await ask(c, ['CLIENT UNPAUSE']).catch((error: Error) => c.log(error.message));
  }
}
/** Redis was begun anew before it was noted what it is now. */
async function followAnew(c: Context): Promise<void> {
  if ((await roleThere(c)) !== 'master')
    throw new TaskError('no-primary', `the metadata on ${c.input.peer.address} do not say that they are the primary`, { remedy, retry: true });
  await beRole(c.host, 'replica');
  await c.host.files.remove(guardPaths.closed);
  await ask(c, [`REPLICAOF ${c.input.peer.address} ${metadataPort}`]);
}

/**
 * The planned switch, on the machine that is the primary: its replica becomes it when it has every write that was ever answered, and this machine
 * follows. Reads go on here, with all that there is: nobody writes anywhere until all names lead to the other machine (`metadata.release`).
 */
export const metadataHandover = defineTask({
  name: 'metadata.handover', version: 1, layer: 'native', timeout: '5m', attempts: 3,
  title: 'The replica has all, and is the primary',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({ counts: Counts }),
  async check(c) {
    if (known(c.secret, c.input.admin) === null) return { state: 'unsatisfied', reason: 'this machine has the lead', before: {} };
    const counts = await handed(c);
    const isReplica = (await roleHere(c.host)) === 'replica';
    if (counts && isReplica && follows(await replication(c), c.input.peer.address)) return { state: 'satisfied', output: { counts } };
    const words = counts ? null : isReplica ? 'the metadata of this machine are a replica already' : await unready(c);
    if (words === null) return { state: 'unsatisfied', reason: 'this machine has the lead', before: {} };
    const mend = 'see `strata storage status`; a primary that is gone for good: `strata storage failover`';
    return { state: 'refused', findings: [blocker('storage.not-in-step', words, mend)] };
  },
  async apply(c) {
    const { host, input } = c;
    const isMaster = (await replication(c)).get('role') === 'master';
    if (isMaster && (await handed(c)) !== null && (await roleThere(c)) === 'master') await followAnew(c);
    else if (isMaster) await giveLead(c);
    await beRole(host, 'replica');
    await host.files.remove(guardPaths.closed);
    const wait = { what: `this machine to follow ${input.peer.address}`, timeoutMs: 120_000, everyMs: 200, signal: c.signal, remedy };
    await until(c.clock, wait, async () => (follows(await replication(c), input.peer.address) ? true : null));
  },
  undo: { never: 'another drill gives the lead back' },
}); // prettier-ignore
