import { objectsPort, storageNames } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import { differing, writeAll } from '../orchestration/written-files';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { begin, halt, idle } from '../service-units';
import { identityHead, kept, keysText, masterPort, objectsFiles, ObjectsInput } from './objects-files';
import { hasIdentity, known, writeIdentity } from './secrets';
import { beforeOf, ServiceBefore, takeAway } from './service';
import { objectsPaths as paths } from './storage-paths';

const units = [paths.unit, paths.socket] as const;
const all = [...units, paths.gate] as const;
type Context = Pick<NodeContext<ObjectsInput>, 'host' | 'input' | 'secret'>;

/** The keys as they shall be, or null in an order without secrets. */
function keys({ input, secret }: Context): string | null {
  const [access, own] = [known(secret, input.access), known(secret, input.secret)];
  return access === null || own === null ? null : keysText(storageNames(input.cluster).bucket, { access, secret: own });
}
async function other(c: Context): Promise<string | null> {
  const { host, input } = c;
  if ((await host.files.sha256(paths.binary)) !== input.artifact.blob.sha256) return `${paths.binary} is not ${input.artifact.version}`;
  const words = await differing(host, objectsFiles(input));
  if (words !== null) return words;
  if (!(await hasIdentity(host, paths.certificate, identityHead(input)))) return 'it has no certificate for this name and address';
  const [is, want] = [await host.files.read(paths.keys), keys(c)];
  return is === null || (want !== null && is !== want) ? 'it has another key' : null;
}
/** Its own shell, on loopback, is the only one that makes buckets. */
async function makeBucket({ host, input }: Context): Promise<boolean> {
  const { bucket } = storageNames(input.cluster);
  const shell = [paths.binary, '-logtostderr=true', 'shell', `-master=127.0.0.1:${masterPort}`] as const;
  const options = { timeoutMs: 30_000, input: `s3.bucket.create -name ${bucket}\n`, env: { TMPDIR: paths.folder } }; // it keeps a history there
  const { stdout, stderr } = await host.programs.run(shell, options);
  return /created bucket|already exists/.test(stdout + stderr);
}
/** Whether each of its writes is flushed; the unit asks for it at each start (objects-files.ts). */
async function flushes({ host }: Context): Promise<boolean> {
  if ((await host.programs.which('lsattr')) === null) return false;
  const { stdout } = await host.programs.run(['lsattr', '-d', kept], { timeoutMs: 10_000 });
  return /^\S*S/.test(stdout);
}

/** SeaweedFS for the data of the shared file system: one bucket, one key that may use it; only S3 with TLS can be reached from other machines. */
export const objectsSeaweedfs = defineTask({
  name: 'objects.seaweedfs', version: 1, layer: 'native', timeout: '8m', attempts: 3,
  title: 'The objects of the shared file system answer',
  input: ObjectsInput,
  before: ServiceBefore,
  output: z.strictObject({}),
  async check(c) {
    const reason = (await other(c)) ?? (await idle(c.host, units));
    if (reason === null) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason, before: await beforeOf(c.host, { units: all, binary: paths.binary, folder: paths.folder }) };
  },
  async apply(c) {
    const { host, input, secret } = c;
    if ((await other(c)) === null) return;
    await halt(host, [...all].reverse());
    await host.files.install(input.artifact, paths.binary, { mode: 0o755 });
    await host.files.mkdir(paths.folder, { mode: 0o700 });
    await writeIdentity(host, paths, { head: identityHead(input), pem: secret(input.identity) });
    await host.files.write(paths.keys, keys(c) ?? '', { mode: 0o600 });
    await writeAll(host, objectsFiles(input));
  },
  async verify(c) {
    const { host, input, clock, signal, log, progress } = c;
    await begin(host, units, log);
    const ca = (await host.files.read(paths.ca)) ?? '';
    const remedy = `read \`journalctl -u ${paths.unit}\` on this machine, then retry the step`;
    progress(null, 'waits for the object store');
    const status = await until(clock, { what: 'the object store to answer', timeoutMs: 120_000, everyMs: 500, signal, remedy }, async () =>
      (await host.network.get(`https://${input.address}:${objectsPort.seaweedfs}/`, { timeoutMs: 5000, ca }))?.status ?? null);
    if (status < 400)
      throw new TaskError('objects-open', `the object store answers somebody without a key (status ${status})`, {
        remedy: `see ${paths.keys} and \`journalctl -u ${paths.unit}\`, then retry the step`,
      });
    await until(clock, { what: 'the bucket to be made', timeoutMs: 90_000, everyMs: 1000, signal, remedy }, async () => ((await makeBucket(c)) ? true : null));
    if (!(await flushes(c))) log(`the file system of ${paths.data} knows no mark that flushes each write (chattr +S): a loss of power can take the objects of the last half minute`);
  },
  async undo({ host, before, log }) {
    if (before.there) return log('it was there before this run: the shared file system lives by it, so it goes on as it is');
    await takeAway(host, [...all].reverse(), before);
    log(`the objects themselves stay in ${paths.data}`);
  },
}); // prettier-ignore
