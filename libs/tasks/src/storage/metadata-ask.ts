import { metadataPort, type SecretRef } from '@strata/model';
import type { NodeContext } from '../define-task';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';
import { adminUser } from './metadata-guard';
import { metadataPaths as paths } from './storage-paths';

/** Whoever has the administrator's password. */
export type Asking = Pick<NodeContext<{ admin: SecretRef }>, 'host' | 'input' | 'secret'>;
/** Lines of redis-cli, as the administrator: commands by its input, the password by its environment. @throws TaskError when one is refused. */
export async function ask({ host, input, secret }: Asking, commands: readonly string[]): Promise<string[]> {
  const argv = ['redis-cli', '--no-auth-warning', '--tls', '--cacert', paths.ca, '-h', '127.0.0.1', '-p', String(metadataPort), '--user', adminUser] as const;
  const ran = await host.programs.run(argv, { timeoutMs: 15_000, input: `${commands.join('\n')}\n`, env: { REDISCLI_AUTH: secret(input.admin) } });
  const lines = ran.stdout.split('\n').map((l) => l.trim()).filter(Boolean); // prettier-ignore
  const refusal = [...lines, ...ran.stderr.split('\n')].find((l) =>
    /^(\(error\)|ERR|NOREPLICAS|READONLY|EXECABORT|OOM|MISCONF|WRONGPASS|NOAUTH|NOPERM|AUTH failed|Could not connect|Error)/.test(l),
  );
  if (ran.code === 0 && refusal === undefined) return lines;
  throw new TaskError('metadata-refuses', `the metadata does not do what its administrator asks: ${refusal ?? `redis-cli ended with ${ran.code}`}`, {
    remedy: `read \`journalctl -u ${paths.unit}\`, then retry the step`,
    retry: true,
  });
}
export async function answers(host: Host, c: Asking): Promise<boolean> {
  if ((await host.units.state(paths.unit)).active !== 'active') return false;
  return (await ask(c, ['PING'])).includes('PONG');
}
