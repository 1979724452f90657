import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { exitCodes } from '@strata/model';
import { CliError } from '../cli-error';
import { defaultHome, files } from './server-home';

type Env = Readonly<Record<string, string | undefined>>;
export const unitName = 'strata-server.service';
const unitPath = `/etc/systemd/system/${unitName}`;
const mark = '# Written by `strata up`';
/** In the home's root-only directory: an environment may hold a proxy's or a database's password, and unit files are read by everybody. */
const environmentPath = (home: string): string => join(home, 'secrets/unit.env');

/** Whether this host's services are systemd's (as `sd_booted` asks), and ours may be one: as root, for the one default home. */
export const unitFits = (home: string): boolean => home === defaultHome && process.getuid?.() === 0 && existsSync('/run/systemd/system');
/** Whether the control server of this home is a unit of ours. */
export const hasUnit = (home: string): boolean => home === defaultHome && (readOr(unitPath)?.startsWith(mark) ?? false);

/**
 * The unit. KillMode=process: systemd ends the supervisor, which ends PostgreSQL, Redis and the server in order; and when the supervisor
 * alone was killed, they live on and the next one, a second later, takes them over. Wrong settings and a second supervisor are not tried again.
 */
export const unitText = (argv: readonly string[], home: string): string => `${mark}; removed by \`strata down\`
[Unit]
Description=Strata control server
After=network-online.target local-fs.target
Wants=network-online.target
RequiresMountsFor=${home}
StartLimitIntervalSec=60
StartLimitBurst=20

[Service]
Type=exec
ExecStart=${argv.map(word).join(' ')}
EnvironmentFile=-${environmentPath(home)}
WorkingDirectory=/
StandardOutput=append:${files(home).log}
StandardError=append:${files(home).log}
KillMode=process
TimeoutStopSec=60
Restart=always
RestartSec=1
RestartPreventExitStatus=2 5
LimitNOFILE=infinity

[Install]
WantedBy=multi-user.target
`;
/** One word of a command line as systemd reads it. */
const word = (text: string): string => {
  const plain = text.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
};

/** What a server may have been told by the environment of whoever typed `strata up`: a unit begins without any of it. */
const handedOn =
  /^(STRATA_(?!SERVER$|TOKEN|CA_|CONFIG$|HOME$)\w+|DATABASE_URL(_FILE)?|REDIS_URL(_FILE)?|(https?|no|all)_proxy|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|GO[A-Z]+|PIP_\w+|npm_config_\w+|PATH|LANG)$/i;
export function environmentText(env: Env): string {
  const own = Object.entries({ ...env, HOME: homedir() }).filter(([name, value]) => (handedOn.test(name) || name === 'HOME') && value && !/[\0\n\r]/.test(value));
  return own.map(([name, value]) => `${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('$', '\\$').replaceAll('`', '\\`')}"\n`).join('');
} // prettier-ignore

/** Puts the unit there, to be started at every boot. `start`: also now. */
export function installUnit(argv: readonly string[], at: { home: string; env: Env; start: boolean }): void {
  mkdirSync(join(at.home, 'secrets'), { recursive: true, mode: 0o700 });
  writeFileSync(environmentPath(at.home), environmentText(at.env), { mode: 0o600 });
  writeFileSync(unitPath, unitText(argv, at.home), { mode: 0o644 });
  systemctl('daemon-reload');
  systemctl('enable', '--quiet', unitName);
  if (at.start) systemctl('start', unitName);
}
/** Stops what the unit keeps, in order, and takes the unit away. */
export function removeUnit(home: string, timeoutMs: number): void {
  systemctl('disable', '--quiet', unitName);
  execute(['systemctl', 'stop', unitName], timeoutMs);
  for (const path of [unitPath, environmentPath(home)]) rmSync(path, { force: true });
  systemctl('daemon-reload');
}
/** Why the unit gave up; null while it runs or starts. */
export function unitEnded(): string | null {
  const shown = execute(['systemctl', 'show', '-p', 'ActiveState,Result,ExecMainStatus', unitName], 10_000);
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(shown)?.[1] ?? '';
  return value('ActiveState') === 'failed' ? `${unitName} failed (${value('Result')}, exit status ${value('ExecMainStatus')})` : null;
}

/** Whether a process is the unit's own. */
export const isOfUnit = (pid: number): boolean => execute(['systemctl', 'show', '-p', 'MainPID', '--value', unitName], 10_000).trim() === String(pid);

function systemctl(...args: string[]): void {
  execute(['systemctl', ...args], 90_000);
}
function execute([program = '', ...args]: string[], timeoutMs: number): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
  } catch (cause) {
    const { stderr, message } = cause as Error & { stderr?: string };
    throw new CliError(`\`${[program, ...args].join(' ')}\` did not do it: ${stderr?.trim() || message}`, {
      exitCode: exitCodes.failed,
      remedy: `see \`systemctl status ${unitName}\`; or start it without a unit: strata up --no-unit`,
      cause,
    });
  }
}
function readOr(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null; // there is none
  }
}
