import { metadataPort, type SecretRef } from '@strata/model';
import type { NodeContext } from '../define-task';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { adminUser } from './metadata-guard';
import { metadataPaths as paths } from './storage-paths';

/** The metadata's own client, as one of their users, at this machine or another that has them. The password goes by its environment. */
export const redisCli = (user: string, address = '127.0.0.1') =>
  ['redis-cli', '--no-auth-warning', '--tls', '--cacert', paths.ca, '-h', address, '-p', String(metadataPort), '--user', user] as const;

/** Whoever has the administrator's password. */
export type Asking = Pick<NodeContext<{ admin: SecretRef }>, 'host' | 'input' | 'secret'>;
/** Lines of redis-cli, as the administrator: commands by its input, the password by its environment. @throws TaskError when one is refused. */
export async function ask({ host, input, secret }: Asking, commands: readonly string[]): Promise<string[]> {
  const ran = await host.programs.run(redisCli(adminUser), {
    timeoutMs: 15_000,
    input: `${commands.join('\n')}\n`,
    env: { REDISCLI_AUTH: secret(input.admin) },
  });
  const lines = ran.stdout.split('\n').map((l) => l.trim()).filter(Boolean); // prettier-ignore
  const refusal = [...lines, ...ran.stderr.split('\n')].find((l) =>
    /^(\(error\)|ERR|NOREPLICAS|READONLY|EXECABORT|OOM|MISCONF|WRONGPASS|NOAUTH|NOPERM|AUTH failed|Could not connect|Error)/.test(l),
  );
  if (ran.code === 0 && refusal === undefined) return lines;
  if (refusal?.startsWith('Could not connect') === true)
    throw new TaskError('metadata-away', `nothing answers where the metadata are, on this machine: ${refusal}`, {
      remedy: `begin them (\`systemctl start ${paths.unit}\`; \`journalctl -u ${paths.unit}\` says why they ended), then retry the step; a replica takes over by \`strata storage failover\``,
      retry: true,
    });
  throw new TaskError('metadata-refuses', `the metadata does not do what its administrator asks: ${refusal ?? `redis-cli ended with ${ran.code}`}`, {
    remedy: `read \`journalctl -u ${paths.unit}\`, then retry the step`,
    retry: true,
  });
}
export async function answers(c: Asking): Promise<boolean> {
  if ((await c.host.units.state(paths.unit)).active !== 'active') return false;
  return (await ask(c, ['PING'])).includes('PONG');
}
/** Waits, a minute at most, for metadata that were begun. @throws TaskError with the remedy */
export function untilAnswering(c: Asking & Pick<NodeContext<unknown>, 'clock' | 'signal'>, remedy: string, what = 'the metadata to answer'): Promise<unknown> {
  const wait = { what, timeoutMs: 60_000, everyMs: 300, signal: c.signal, remedy };
  return until(c.clock, wait, async () => ((await answers(c)) ? true : null));
}
