import { type Finding, metadataPort, type SecretRef } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import { differing, writeAll } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { begin, halt, idle } from '../service-units';
import { identityHead, metadataFiles, MetadataInput, namesIn, nodeUser, type RedisUser, userLine, usersText } from './metadata-files';
import { hasIdentity, known, writeIdentity } from './secrets';
import { adminUser, adminText } from './metadata-guard';
import { warning } from '../native/findings';
import { beforeOf, ServiceBefore, takeAway } from './service';
import { guardPaths, metadataPaths as paths } from './storage-paths';

/** Debian's redis-tools brings the server under this name; its own service, which would run without TLS and password, never comes. */
const program = '/usr/bin/redis-check-rdb';
type Context = Pick<NodeContext<MetadataInput>, 'host' | 'input' | 'secret'>;

/** The users that the metadata shall have; a hash is null in an order without secrets. */
const wanted = ({ input, secret }: Context): (Omit<RedisUser, 'hash'> & { hash: string | null })[] => [
  { name: adminUser, kind: 'admin', hash: known(secret, input.adminHash) },
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

/** Whoever has the administrator's password. */
export type Asking = Pick<NodeContext<{ admin: SecretRef }>, 'host' | 'input' | 'secret'>;
/** Lines of redis-cli, as the administrator: commands by its input, the password by its environment. @throws TaskError when one is refused. */
export async function ask({ host, input, secret }: Asking, commands: readonly string[]): Promise<string[]> {
  const argv = ['redis-cli', '--no-auth-warning', '--tls', '--cacert', paths.ca, '-h', '127.0.0.1', '-p', String(metadataPort), '--user', adminUser] as const;
  const ran = await host.programs.run(argv, { timeoutMs: 15_000, input: `${commands.join('\n')}\n`, env: { REDISCLI_AUTH: secret(input.admin) } });
  const lines = ran.stdout.split('\n').map((l) => l.trim()).filter(Boolean); // prettier-ignore
  const refusal = [...lines, ...ran.stderr.split('\n')].find((l) => /^(\(error\)|ERR|WRONGPASS|NOAUTH|NOPERM|AUTH failed|Could not connect|Error)/.test(l));
  if (ran.code === 0 && refusal === undefined) return lines;
  throw new TaskError('metadata-refuses', `the metadata does not do what its administrator asks: ${refusal ?? `redis-cli ended with ${ran.code}`}`, {
    remedy: `read \`journalctl -u ${paths.unit}\`, then retry the step`,
    retry: true,
  });
}
/** Users that left are out at once, with their sessions; those that stay notice nothing. */
async function matchUsers(c: Context): Promise<void> {
  const users = withHashes(c);
  const here = (await ask(c, ['ACL USERS'])).map((name) => name.replace(/^\d+\) /, '').replaceAll('"', ''));
  const gone = here.filter((name) => name !== 'default' && !users.some((u) => u.name === name));
  await ask(c, [...users.map((u) => userLine(u).replace(/^user (\S+) on /, 'ACL SETUSER $1 reset on ')), ...gone.map((name) => `ACL DELUSER ${name}`)]);
}
export async function answers(host: Host, c: Asking): Promise<boolean> {
  if ((await host.units.state(paths.unit)).active !== 'active') return false;
  return (await ask(c, ['PING'])).includes('PONG');
}

/** Why nobody is let in, if that is so. */
export const closedWords = async (host: Host): Promise<string | null> => (await host.files.read(guardPaths.closed))?.trim() ?? null;
export const closedRemedy =
  'let it be mended with every node fenced: `strata storage restore --from current` keeps what is there, `--from latest` takes the last dump';
async function wentBack(host: Host): Promise<Finding[]> {
  const words = await closedWords(host);
  return words === null ? [] : [warning('storage.went-back', `the metadata let nobody in: ${words}`, closedRemedy)];
}

/** A Redis of its own for the metadata of the shared file system: TLS, one user per node, every write on the disk before it is answered. */
export const metadataRedis = defineTask({
  name: 'metadata.redis', version: 1, layer: 'native', timeout: '12m', attempts: 3,
  title: 'The metadata of the shared file system answers',
  input: MetadataInput,
  before: ServiceBefore,
  output: z.strictObject({ caPem: z.string() }),
  async check(c) {
    const reason = (await otherSettings(c)) ?? (await otherUsers(c)) ?? (await idle(c.host, [paths.unit]));
    const findings = await wentBack(c.host);
    if (reason === null) return { state: 'satisfied', output: { caPem: (await c.host.files.read(paths.ca)) ?? '' }, findings };
    return { state: 'unsatisfied', reason, findings, before: await beforeOf(c.host, { units: [paths.unit, guardPaths.unit], binary: paths.server, folder: paths.folder }) };
  },
  async apply(c) {
    const { host, input, secret } = c;
    if ((await host.files.stat(program)) === null)
      throw new TaskError('no-redis', `${program} is not here: the package with Redis (redis-tools) is missing`, {
        remedy: 'retry packages.install on this node',
      });
    if ((await otherSettings(c)) !== null) {
      await halt(host, [paths.unit]);
      await host.files.mkdir(paths.folder, { mode: 0o700 });
      await writeIdentity(host, paths, { head: identityHead(input), pem: secret(input.identity) });
      await host.files.link(paths.server, program);
      await mustBeNew(host);
      await host.files.write(paths.admin, adminText(secret(input.admin)), { mode: 0o600 });
      await host.files.write(paths.users, usersText(withHashes(c)), { mode: 0o600 });
      await writeAll(host, metadataFiles(input));
    }
    await host.files.write(paths.users, usersText(withHashes(c)), { mode: 0o600 });
  },
  async verify(c) {
    const { host, clock, signal, log } = c;
    await begin(host, [paths.unit], log);
    const remedy = `read \`journalctl -u ${paths.unit}\` on this machine, then retry the step`;
    const wait = { what: 'the metadata to answer', timeoutMs: 60_000, everyMs: 300, signal, remedy };
    await until(clock, wait, async () => ((await answers(host, c)) ? true : null));
    await matchUsers(c);
  },
  async undo({ host, before, log }) {
    if (before.there) return log('it was there before this run: all nodes live by it, so it goes on as it is');
    await takeAway(host, [guardPaths.unit, paths.unit], before);
    log(`the metadata itself stays in ${paths.data}; without it nothing of the shared file system can be read`);
  },
}); // prettier-ignore
