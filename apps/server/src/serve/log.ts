import pino, { type Logger } from 'pino';

export type Log = Logger;

/** Fields that may carry a secret wherever they appear: a net below the rule that no secret is handed to the log at all. */
const hidden = [
  'password',
  'sudoPassword',
  'privateKey',
  'passphrase',
  'bastionPrivateKey',
  'bastionPassword',
  'token',
  'secrets',
  'kubeconfig',
  'authorization',
  'sshSecrets',
];

/** The server's log: JSON lines on standard error. */
export function createLog(level: string): Log {
  const paths = hidden.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino(
    { level, base: undefined, redact: { paths, censor: '[secret]' }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
}
