import { Ipv4, type SecretRef } from '@strata/model';
import { z } from 'zod';
import { type NodeContext, secretInput } from '../define-task';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';
import { peerUser } from './metadata-guard';
import { ask, type Asking, redisCli } from './metadata-ask';
import { guardPaths } from './storage-paths';

/** So long a primary that lost its replica goes on answering writes, at most. */
export const replicaLagSeconds = 10;

/** The other machine that has the metadata, and which of the two this one is. */
export const Peer = z.strictObject({
  role: z.enum(['primary', 'replica']),
  address: Ipv4,
  password: secretInput(), // as whom the two know each other
  hash: secretInput(), // and its sha256
});
export type Peer = z.infer<typeof Peer>;
export type Role = Peer['role'];

/** What the data on this machine are; null before there are any. */
export async function roleHere(host: Host): Promise<Role | null> {
  const text = (await host.files.read(guardPaths.role))?.trim();
  return text === 'primary' || text === 'replica' ? text : null;
}
export const beRole = (host: Host, role: Role): Promise<void> => host.files.write(guardPaths.role, `${role}\n`, { mode: 0o600 });

/** Lines of `INFO replication` as this machine's Redis says them. */
export async function replication(c: Asking): Promise<Map<string, string>> {
  const lines = await ask(c, ['INFO replication']);
  return new Map(lines.map((l) => [l.slice(0, l.indexOf(':')), l.slice(l.indexOf(':') + 1)]));
}
/** Whether some replica has all and keeps up. */
export const inStep = (info: ReadonlyMap<string, string>): boolean =>
  [...info].some(([name, said]) => /^slave\d+$/.test(name) && /\bstate=online\b/.test(said));
/** Whether this replica has all of its primary and hears of it. */
export const follows = (info: ReadonlyMap<string, string>, address: string): boolean =>
  info.get('role') === 'slave' && info.get('master_host') === address && info.get('master_link_status') === 'up' && info.get('master_sync_in_progress') !== '1';

export type AskingPeer = Pick<NodeContext<{ peer: Pick<Peer, 'address' | 'password'> & { password: SecretRef } }>, 'host' | 'input' | 'secret'>;
/** What the other machine's metadata say they are, or null where they do not answer: closed, dead or cut off. */
export async function roleThere({ host, input: { peer }, secret }: AskingPeer): Promise<'master' | 'slave' | null> {
  try {
    const { stdout } = await host.programs.run(redisCli(peerUser, peer.address), { timeoutMs: 6_000, input: 'ROLE\n', env: { REDISCLI_AUTH: secret(peer.password) } });
    const [first] = stdout.split('\n').map((l) => l.trim());
    return first === 'master' || first === 'slave' ? first : null;
  } catch (error) {
    if (error instanceof TaskError) return null; // it did not end in time
    throw error;
  }
} // prettier-ignore
