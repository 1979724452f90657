import { ClusterName, type Finding, NodeName, RestoreFrom, S3Place, storageNames } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext, secretInput } from '../define-task';
import { info, warning } from '../native/findings';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { beatKey } from './metadata-guard';
import { takenOver } from './metadata-takeover';
import { ask } from './metadata-ask';
import { closedWords } from './metadata-redis';
import { bucketAgainst, closedJuicefs, complaint, type Counters, countersIn, markOf, missingIn } from './restore-programs';
import { RunId } from './run-id';
import { keepAuthority, noteVolume } from './storage-format';
import { dumpPaths, guardPaths, metadataPaths } from './storage-paths';

const database = 1; // JuiceFS'
/** Where a dump is loaded, and where the metadata from before it are until the restore has proved itself. */
export const asideDatabase = 2;
const doneKey = 'strata-restored';
/** Far beyond what a client took in one go and had not used yet. */
const margin: Counters = { nextchunk: 1_000_000, nextinode: 1_000_000, nextsession: 1000 };

const Input = z.strictObject({
  run: RunId,
  cluster: ClusterName,
  node: NodeName,
  from: RestoreFrom,
  admin: secretInput(),
  password: secretInput(), // this node's
  access: secretInput(), // the bucket's key: no dump has it
  secret: secretInput(),
  s3: S3Place.optional(), // where the objects are with somebody else
  seen: z.array(z.int()), // the highest slice that each node knew of
});
type Context = NodeContext<z.infer<typeof Input>>;

/** What a restore found. */
export const Report = z.strictObject({
  run: z.string(),
  from: RestoreFrom,
  closed: z.string(), // why nobody was let in
  before: z.int(), // files and folders
  after: z.int(),
  lost: z.int(), // blocks of the bucket that no file has
  lostBytes: z.int(),
  missing: z.int(), // blocks that files have and the bucket has not
  counters: z.strictObject({ nextchunk: z.int(), nextinode: z.int(), nextsession: z.int() }),
});
export type Report = z.infer<typeof Report>;
/** That of one run, as it is noted on this machine; null where there is none. */
export async function reported(host: Host, run: string, note: string = guardPaths.restored): Promise<Report | null> {
  const text = await host.files.read(note);
  const report = text === null ? null : (Report.safeParse(JSON.parse(text)).data ?? null);
  return report?.run === run ? report : null;
}

/** A text as redis-cli reads it. */
export const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
const Setting = z.looseObject({ Name: z.string(), AccessKey: z.string(), SecretKey: z.string() });
/** The volume's setting with the bucket's key, which a dump has not. */
export function settingWith(text: string, key: { access: string; secret: string }): string {
  return JSON.stringify({ ...Setting.parse(JSON.parse(text)), AccessKey: key.access, SecretKey: key.secret, KeyEncrypted: false });
}

/** Loads the dump into an empty database, whatever an earlier try left there. */
async function load(c: Context): Promise<void> {
  const kept = await closedJuicefs(c, database)(['dump', dumpPaths.beforeRestore]);
  if (kept.code !== 0) c.log(`what is there now cannot be dumped: ${complaint(kept.lines)}`);
  await ask(c, [`SELECT ${asideDatabase}`, 'FLUSHDB ASYNC']);
  const { code, lines } = await closedJuicefs(c, asideDatabase)(['load', dumpPaths.restoring]);
  if (code !== 0)
    throw new TaskError('load-failed', `the dump could not be loaded: ${complaint(lines)}`, {
      remedy:
        'choose another dump; both the old and the new metadata must have room (`storage.metadata.maxMemoryMiB`) while they are exchanged. Nobody is let in before',
    });
  const setting = (await ask(c, [`SELECT ${asideDatabase}`, 'GET setting'])).slice(1).join('\n');
  const { Name } = Setting.parse(JSON.parse(setting));
  if (Name !== storageNames(c.input.cluster).volume)
    throw new TaskError('foreign-dump', `the dump is of the volume ${Name}, not of ${storageNames(c.input.cluster).volume}`, { remedy: 'choose a dump of this cluster; nobody is let in before' }); // prettier-ignore
  const key = { access: c.secret(c.input.access), secret: c.secret(c.input.secret) };
  await ask(c, [`SELECT ${asideDatabase}`, `SET setting ${quoted(settingWith(setting, key))}`]);
}
/** Above every number that a bucket, a cache, a mark or either database knows of. */
export function raised(known: readonly Partial<Counters>[]): Counters {
  const above = (key: keyof Counters): number => Math.max(0, ...known.map((k) => k[key] ?? 0)) + margin[key];
  return { nextchunk: above('nextchunk'), nextinode: above('nextinode'), nextsession: above('nextsession') };
}
async function restore(c: Context): Promise<void> {
  const { host, input } = c;
  if ((await ask(c, ['SELECT 0', `GET ${doneKey}`])).at(-1) === input.run) return;
  const at = input.from === 'current' ? database : asideDatabase;
  const closed = (await closedWords(host)) ?? '';
  if (at === asideDatabase) await load(c);
  const [mark, was, is] = [await markOf(host), await countersIn(c, database), await countersIn(c, at)];
  if (is.nextchunk === 0) throw noVolume();
  const bucket = await bucketAgainst(closedJuicefs(c, at));
  const missing = await missingIn(closedJuicefs(c, at));
  const counters = raised([mark, was, is, { nextchunk: Math.max(bucket.highest, 0, ...input.seen) }]);
  await ask(c, [`SELECT ${at}`, ...Object.entries(counters).map(([key, value]) => `SET ${key} ${value}`)]);
  const report: Report = { run: input.run, from: input.from, closed, before: was.files, after: is.files, lost: bucket.lost, lostBytes: bucket.lostBytes, missing, counters };
  await host.files.write(guardPaths.restored, JSON.stringify(report), { mode: 0o600 });
  const swap = at === database ? [] : [`SWAPDB ${database} ${asideDatabase}`];
  await ask(c, ['MULTI', ...swap, 'SELECT 0', `INCRBY ${beatKey} ${mark.beat + 1000}`, `SET ${doneKey} ${input.run}`, 'EXEC']);
} // prettier-ignore
const noVolume = (): TaskError =>
  new TaskError('no-volume', `there is no volume in the metadata that are in ${metadataPaths.data}: there is nothing to keep`, {
    remedy: 'restore a dump: `strata storage restore --from latest`',
  });

/** Nothing is lost silently: what is not there any more is said, whatever the run was for. */
export function lossOf(r: Report): Finding[] {
  const taken = r.closed.startsWith(takenOver);
  const what = taken
    ? `the metadata are those of the replica (${r.closed})`
    : r.from === 'current'
      ? `the metadata are kept as they were found (${r.closed})`
      : `the metadata are those of the dump \`${r.from}\``;
  const blocks = `${r.lost} blocks (${r.lostBytes} bytes) in the bucket belong to no file any more`;
  const files = `${r.before} files and folders before the restore, ${r.after} now`;
  const words = `${what}: ${files}; ${blocks}; ${r.missing} blocks that files need are not in the bucket`;
  if (!taken && r.lost === 0 && r.missing === 0 && r.after >= r.before) return [info('storage.restored', words)];
  const where = r.from === 'current' ? '' : ` What was there before is in ${dumpPaths.beforeRestore}, which can be restored in turn.`;
  return [warning('storage.loss', `${words}. What was written after that point is lost.`, `compare with your own copies.${where}`)];
}

/** The metadata from a dump, or those that are there, made safe: no number that was ever given out is given out again. Then nodes may come in. */
export const storageLoad = defineTask({
  name: 'storage.load', version: 1, layer: 'native', timeout: '90m', attempts: 3,
  title: 'The metadata are restored, above every number in use',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({ before: z.int(), after: z.int(), lost: z.int(), lostBytes: z.int(), missing: z.int() }),
  async check({ host, input }) {
    const [report, closed] = [await reported(host, input.run), await closedWords(host)];
    if (report === null || closed !== null) return { state: 'unsatisfied', reason: 'they are closed', before: {} };
    const { before, after, lost, lostBytes, missing } = report;
    return { state: 'satisfied', output: { before, after, lost, lostBytes, missing }, findings: lossOf(report) };
  },
  async apply(c) {
    const { host, input } = c;
    await keepAuthority(host, input.s3); // a replica never made the volume
    await restore(c);
    await noteVolume(host, input.cluster);
  },
  async verify({ host }) {
    const remedy = `read \`journalctl -u ${metadataPaths.unit}\`, then retry the step`;
    await must(host, ['sh', metadataPaths.guard, 'open'], { timeoutMs: 60_000, remedy });
  },
  undo: { never: 'the metadata from before are in a dump: they are restored by a run of their own' },
}); // prettier-ignore
