import type { Finding } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import { differing, writeAll } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { must } from '../programs';
import { begin, halt, idle } from '../service-units';
import { identityHead, metadataFiles, MetadataInput, namesIn, nodeUser, type RedisUser, userLine, usersText } from './metadata-files';
import { hasIdentity, known, writeIdentity } from './secrets';
import { adminUser, adminText, peerText, peerUser } from './metadata-guard';
import { ask, untilAnswering } from './metadata-ask';
import { beRole, follows, replication, roleHere } from './metadata-peer';
import { warning } from '../native/findings';
import { beforeOf, ServiceBefore, takeAway } from './service';
import { guardPaths, metadataPaths as paths } from './storage-paths';

/** Debian's redis-tools brings the server under this name; its own service, which would run without TLS and password, never comes. */
const program = '/usr/bin/redis-check-rdb';
type Context = Pick<NodeContext<MetadataInput>, 'host' | 'input' | 'secret'>;

/** The users that the metadata shall have; a hash is null in an order without secrets. */
const wanted = ({ input, secret }: Context): (Omit<RedisUser, 'hash'> & { hash: string | null })[] => [
  { name: adminUser, kind: 'admin', hash: known(secret, input.adminHash) },
  ...(input.peer ? [{ name: peerUser, kind: 'peer' as const, hash: known(secret, input.peer.hash) }] : []),
  ...input.users.map((u) => ({ name: nodeUser(u.node), kind: 'node' as const, hash: known(secret, u.hash) })),
];
const withHashes = (c: Context): RedisUser[] => wanted(c).map((u) => ({ ...u, hash: u.hash ?? '' }));

/** An older one cannot be opened to the network while it runs, which the guard does when it has looked. @throws TaskError */
async function mustBeNew(host: Host): Promise<void> {
  const { stdout } = await host.programs.run([paths.server, '--version'], { timeoutMs: 10_000 });
  const [, version = 'of no known version', major, minor] = /\bv=((\d+)\.(\d+)[.\d]*)/.exec(stdout) ?? [];
  if (Number(major) > 6 || (Number(major) === 6 && Number(minor) >= 2)) return;
  throw new TaskError('old-redis', `this machine's Redis is ${version}: the metadata need 6.2 or newer`, {
    remedy: 'name another node as `storage.metadata.node`: Debian 12, Ubuntu 24.04 and Rocky 9 or newer have it',
  });
}
/** What has to be stopped ahead of a change. */
async function otherSettings({ host, input, secret }: Context): Promise<string | null> {
  const words = await differing(host, metadataFiles(input));
  if (words !== null) return words;
  const [admin, is] = [known(secret, input.admin), await host.files.read(paths.admin)];
  if (is === null || (admin !== null && is !== adminText(admin))) return 'its guard cannot ask it';
  const [peer, knows] = [input.peer ? known(secret, input.peer.password) : null, await host.files.read(paths.peer)];
  if (input.peer ? knows === null || (peer !== null && knows !== peerText(peer)) : knows !== null) return 'it knows of another copy than it shall';
  if ((await host.files.stat(paths.server))?.target !== program) return `${paths.server} is not there`;
  return (await hasIdentity(host, paths.certificate, identityHead(input))) ? null : 'it has no certificate for this name and address';
}
async function otherUsers(c: Context): Promise<string | null> {
  const text = (await c.host.files.read(paths.users)) ?? '';
  const users = wanted(c);
  if (!text.startsWith(usersText([]))) return 'its list of users is of another version';
  const gone = namesIn(text).filter((name) => !users.some((u) => u.name === name));
  if (gone.length > 0) return `${gone.join(', ')} may still come in`;
  const absent = users.filter((u) => (u.hash === null ? !namesIn(text).includes(u.name) : !text.includes(`${userLine({ ...u, hash: u.hash })}\n`)));
  return absent.length === 0 ? null : `${absent.map((u) => u.name).join(', ')} cannot come in yet`;
}

/** Users that left are out at once, with their sessions; those that stay notice nothing. */
async function matchUsers(c: Context): Promise<void> {
  const users = withHashes(c);
  const here = (await ask(c, ['ACL USERS'])).map((name) => name.replace(/^\d+\) /, '').replaceAll('"', ''));
  const gone = here.filter((name) => name !== 'default' && !users.some((u) => u.name === name));
  await ask(c, [...users.map((u) => userLine(u).replace(/^user (\S+) on /, 'ACL SETUSER $1 reset on ')), ...gone.map((name) => `ACL DELUSER ${name}`)]);
}
/** Why nobody is let in, if that is so. */
export const closedWords = async (host: Host): Promise<string | null> => (await host.files.read(guardPaths.closed))?.trim() ?? null;
export const closedRemedy =
  'let it be mended with every node fenced: `strata storage restore --from current` keeps what is there, `--from latest` takes the last dump';
async function wentBack(host: Host): Promise<Finding[]> {
  const [words, waits] = [await closedWords(host), (await host.files.read(guardPaths.waits))?.trim()];
  if (words !== null) return [warning('storage.went-back', `the metadata let nobody in: ${words}`, closedRemedy)];
  const remedy = 'bring the machine of the replica up; if it is gone for good, take `storage.metadata.replica` out of the spec and apply';
  return waits === undefined ? [] : [warning('storage.waits', `the metadata let nobody in yet: ${waits}`, remedy)];
}
/** In what these are not the copy that they shall be, as far as can be told without asking. @throws TaskError for a copy that others may live by */
async function otherRole({ host, input }: Context): Promise<string | null> {
  const [is, wanted] = [await roleHere(host), input.peer?.role ?? 'primary'];
  if (is === 'primary' && wanted === 'replica')
    throw new TaskError('two-primaries', 'the metadata on this machine are not a replica, and nothing may replace them here', { remedy: '`strata runs retry RUN NODE/metadata.stepdown` puts them aside (run and node are those of this step)' }); // prettier-ignore
  if (is === 'replica' && wanted === 'primary')
    throw new TaskError('only-replica', 'the metadata on this machine are a replica, and may lack what its primary has answered', { remedy: '`strata storage drill` or `strata storage failover` makes it the primary' }); // prettier-ignore
  return is === wanted || (is === null && !input.peer) ? null : 'it is not said what these metadata are';
}
/** In what a replica does not follow, or null; null also in an order without secrets. */
async function strays(c: Context): Promise<string | null> {
  const { peer } = c.input;
  if (peer?.role !== 'replica' || known(c.secret, c.input.admin) === null) return null;
  if (!follows(await replication(c), peer.address)) return `it does not follow ${peer.address}`;
  return (await ask(c, ['CONFIG GET bind'])).some((l) => l.includes(c.input.address)) ? null : `${peer.address} cannot ask it`;
}

/** What the guard knows of the other copy. One that is new cannot have been taken over by: the primary goes on without until it is in step. */
async function knowPeer({ host, input, secret }: Context): Promise<void> {
  if (!input.peer) return host.files.remove(paths.peer);
  if (input.peer.role === 'primary' && (await host.files.stat(paths.peer)) === null) {
    await host.files.mkdir(guardPaths.folder, { mode: 0o700 });
    await host.files.write(guardPaths.alone, '', { mode: 0o600 });
  }
  await host.files.write(paths.peer, peerText(secret(input.peer.password)), { mode: 0o600 });
}

/** A Redis of its own for the metadata of the shared file system: TLS, one user per node, every write on the disk before it is answered. */
export const metadataRedis = defineTask({
  name: 'metadata.redis', version: 1, layer: 'native', timeout: '12m', attempts: 3,
  title: 'The metadata of the shared file system answers',
  input: MetadataInput,
  before: ServiceBefore,
  output: z.strictObject({ caPem: z.string() }),
  async check(c) {
    const reason = (await otherSettings(c)) ?? (await otherUsers(c)) ?? (await otherRole(c)) ?? (await idle(c.host, [paths.unit])) ?? (await strays(c));
    const findings = await wentBack(c.host);
    if (reason === null) return { state: 'satisfied', output: { caPem: (await c.host.files.read(paths.ca)) ?? '' }, findings };
    return { state: 'unsatisfied', reason, findings, before: await beforeOf(c.host, { units: [paths.unit, guardPaths.unit], binary: paths.server, folder: paths.folder }) };
  },
  async apply(c) {
    const { host, input, secret } = c;
    if ((await host.files.stat(program)) === null)
      throw new TaskError('no-redis', `${program} is not here: the package with Redis (redis-tools) is missing`, {
        remedy: '`strata runs retry RUN NODE/packages.install` brings it (run and node are those of this step)',
      });
    if ((await otherSettings(c)) !== null) {
      await halt(host, [paths.unit]);
      await host.files.mkdir(paths.folder, { mode: 0o700 });
      await writeIdentity(host, paths, { head: identityHead(input), pem: secret(input.identity) });
      await host.files.link(paths.server, program);
      await mustBeNew(host);
      await host.files.write(paths.admin, adminText(secret(input.admin)), { mode: 0o600 });
      await knowPeer(c);
      await host.files.write(paths.users, usersText(withHashes(c)), { mode: 0o600 });
      await writeAll(host, metadataFiles(input));
    }
    await host.files.write(paths.users, usersText(withHashes(c)), { mode: 0o600 });
    if ((await otherRole(c)) !== null) await beRole(host, input.peer?.role ?? 'primary');
  },
  async verify(c) {
    const { host, input, clock, signal, log } = c;
    await begin(host, [paths.unit], log);
    const remedy = `read \`journalctl -u ${paths.unit}\` on this machine, then retry the step`;
    await untilAnswering(c, remedy);
    await matchUsers(c);
    if (input.peer?.role !== 'replica') return;
    await must(host, ['sh', paths.guard, 'follow'], { timeoutMs: 30_000, remedy });
    const whole = { what: `all metadata of ${input.peer.address} to be here`, timeoutMs: 8 * 60_000, everyMs: 300, signal, remedy };
    await until(clock, whole, async () => ((await strays(c)) === null ? true : null));
  },
  async undo({ host, before, log }) {
    if (before.there) return log('it was there before this run: all nodes live by it, so it goes on as it is');
    await takeAway(host, [guardPaths.unit, paths.unit], before);
    log(`the metadata itself stays in ${paths.data}; without it nothing of the shared file system can be read`);
  },
}); // prettier-ignore
