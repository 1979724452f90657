import { z } from 'zod';
import { defineTask, type NodeContext, secretInput } from '../define-task';
import { blocker } from '../native/findings';
import { begin } from '../service-units';
import { TaskError } from '../task-error';
import { answers, ask, untilAnswering } from './metadata-ask';
import { pairedKey } from './metadata-guard';
import { known } from './secrets';
import { beRole, Peer, replicaLagSeconds, replication, roleHere, roleThere } from './metadata-peer';
import { isOfRun, noteRun, RunId } from './run-id';
import { guardPaths, metadataPaths } from './storage-paths';

/** A primary that is cut off has stopped to answer writes by then. */
const waitMs = (replicaLagSeconds + 5) * 1000;
const remedy = `read \`journalctl -u ${metadataPaths.unit}\` on this machine, then retry the step`;
const Input = z.strictObject({
  run: RunId,
  admin: secretInput(),
  address: Peer.shape.address,
  peer: z.strictObject({ address: Peer.shape.address, password: secretInput() }),
  old: z.boolean(),
}); // old: also where it was not in step for long
type Context = NodeContext<z.infer<typeof Input>>;

/** Why the replica must not become the primary, or null. It is asked while it runs. */
async function barred(c: Context): Promise<{ code: string; words: string; mend: string } | null> {
  const { peer, address } = c.input;
  if ((await roleThere(c)) === 'master')
    return { code: 'storage.primary-answers', words: `the metadata on ${peer.address} answer, and are the primary: a replica may lack what they have answered`, mend: '`strata storage drill` changes the two without any loss; where those are not to be used any more, stop strata-metadata on that machine first' };
  const [paired, seconds] = await pairedAt(c);
  if (paired !== address)
    return { code: 'storage.never-in-step', words: `the replica on this machine was never in step with ${peer.address}: what it lacks is not known`, mend: `bring ${peer.address} up; without it, restore a dump: \`strata storage restore --from latest\`` };
  const hours = Math.floor((c.clock.now() / 1000 - seconds) / 3600);
  if (hours >= 1 && !c.input.old)
    return { code: 'storage.old-replica', words: `the replica on this machine was in step last ${timeOf(seconds)}, ${hours === 1 ? 'an hour' : `${hours} hours`} ago`, mend: `where nobody has written since, because ${peer.address} has been dead since then, say \`strata storage failover --force\`; else bring it up, or restore a dump: \`strata storage restore --from latest\`` };
  return null;
} // prettier-ignore
/** Which replica the primary waited for with each write, by this copy, and when that was so last (seconds since 1970). */
async function pairedAt(c: Context): Promise<[string, number]> {
  const [address = '', seconds = ''] = ((await ask(c, ['SELECT 0', `GET ${pairedKey}`]))[1] ?? '').split(' ');
  return [address, Number(seconds) || 0];
}
const timeOf = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(/\.\d+/, '');
/** How the reason begins for which the metadata of a failover are closed. */
export const takenOver = 'taken over';
/** What is known of how old the copy is. */
function ageWords(info: ReadonlyMap<string, string>, from: string, paired: number): string {
  const [down, silent] = [info.get('master_link_down_since_seconds'), info.get('master_last_io_seconds_ago')];
  const seconds = Math.max(Number(down ?? -1), Number(silent ?? -1));
  const when = seconds < 0 ? '' : `, and it heard of it last ${seconds} s before`;
  return `${takenOver} by the replica on this machine from ${from}; it was in step at ${timeOf(paired)}${when}`;
}

/**
 * The beginning of an unplanned failover: the replica stops to follow, is closed as for a restore, and waits until its primary, should it still run somewhere
 * without its replica, answers no write any more. What it does not have is lost, and said by `storage.load`.
 */
export const metadataTakeover = defineTask({
  name: 'metadata.take-over', version: 1, layer: 'native', timeout: '12m', attempts: 3,
  title: 'The replica follows nobody, and nobody can reach it',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check(c) {
    const { host, input } = c;
    if (await isOfRun(host, guardPaths.fenced, input.run)) return { state: 'satisfied', output: {} };
    if ((await roleHere(host)) === 'replica' && (known(c.secret, input.admin) === null || !(await answers(c)))) return { state: 'unsatisfied', reason: 'it is a replica', before: {} };
    if (await isOfRun(host, guardPaths.taken, input.run)) return { state: 'unsatisfied', reason: 'it is not closed yet', before: {} };
    if ((await roleHere(host)) !== 'replica')
      return { state: 'refused', findings: [blocker('storage.no-replica', 'the metadata on this machine are no replica', 'see `strata storage status` for the one that is')] };
    const no = await barred(c);
    return no === null ? { state: 'unsatisfied', reason: 'it is a replica', before: {} } : { state: 'refused', findings: [blocker(no.code, no.words, no.mend)] };
  },
  async apply(c) {
    const { host, input, log } = c;
    if (await isOfRun(host, guardPaths.taken, input.run)) return;
    await begin(host, [metadataPaths.unit], log);
    await untilAnswering(c, remedy, 'the replica to answer');
    const no = await barred(c);
    if (no !== null) throw new TaskError(no.code, no.words, { remedy: no.mend });
    await host.files.write(guardPaths.closed, ageWords(await replication(c), input.peer.address, (await pairedAt(c))[1]), { mode: 0o600 });
    await ask(c, ['CONFIG SET min-replicas-to-write 0', 'REPLICAOF NO ONE', 'CONFIG SET bind 127.0.0.1']);
    await host.files.write(guardPaths.alone, '', { mode: 0o600 });
    await noteRun(host, guardPaths.taken, input.run);
    await beRole(host, 'primary');
  },
  async verify(c) {
    const { host, input, clock, signal, log } = c;
    await begin(host, [metadataPaths.unit], log);
    await untilAnswering(c, remedy);
    if ((await replication(c)).get('role') !== 'master') await ask(c, ['REPLICAOF NO ONE']);
    await ask(c, ['CONFIG SET bind 127.0.0.1', 'CLIENT KILL TYPE normal SKIPME yes', 'CONFIG SET min-replicas-to-write 0', 'SELECT 0', `DEL ${pairedKey}`]);
    c.progress(null, `a primary that is cut off answers no write after ${replicaLagSeconds} s without its replica: that is waited for`);
    await clock.sleep(waitMs, signal);
    await noteRun(host, guardPaths.fenced, input.run);
  },
  undo: { never: 'it is opened by the end of the failover' },
}); // prettier-ignore
