import { existsSync, lstatSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { exitCodes } from '@strata/model';
import { CliError, usage } from '../cli-error';
import { type Cli, mustConfirm } from '../commands/cli';
import { configPath, readConfig, writeConfig } from '../context/config-file';
import { forgetKubeconfig, sayForgotten } from '../kubernetes/kubeconfig';
import { hasUnit, removeUnit } from './unit';
import { files, homeOf, livingSupervisor } from './server-home';

export interface DownFlags {
  home?: string;
  purge?: boolean;
  yes?: boolean;
  timeout: number; // ms
}

/** Stops the control server of this host; agents stay and come back to it. With `purge` its state goes too. */
export async function down(cli: Cli, flags: DownFlags): Promise<void> {
  const home = resolve(homeOf(flags.home, cli.env));
  if (flags.purge === true) await mustConfirm(cli, flags, `Remove ${home} with every cluster, key and artifact of that control server?`);
  const pid = livingSupervisor(home);
  if (hasUnit(home)) removeUnit(home, flags.timeout);
  if (pid === null) cli.terminal.out(`no control server runs in ${home}`);
  else if (livingSupervisor(home) === pid) await stop(pid, { home, timeoutMs: flags.timeout });
  if (pid !== null && flags.purge !== true) cli.terminal.out('the control server is stopped; its state stays, `strata up` goes on with it');
  if (flags.purge !== true) return;
  purge(home);
  forget(cli, home);
  sayForgotten(cli.terminal, forgetKubeconfig(cli.env, { home }));
  cli.terminal.out(`${home} is removed`);
}

async function stop(pid: number, at: { home: string; timeoutMs: number }): Promise<void> {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (cause) {
    if ((cause as { code?: string }).code === 'EPERM')
      throw usage(`the control server (process ${pid}) belongs to another user`, 'run this as that user, or as root', cause);
    if ((cause as { code?: string }).code !== 'ESRCH') throw cause;
  }
  const until = performance.now() + at.timeoutMs;
  while (livingSupervisor(at.home) === pid) {
    if (performance.now() > until)
      throw new CliError(`the control server (process ${pid}) still runs after ${Math.round(at.timeoutMs / 1000)} s`, {
        exitCode: exitCodes.timeout,
        remedy: `look at ${files(at.home).log}, then try again`,
      });
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Only what is a server's home: a slip of the keyboard must not cost another directory. */
function purge(home: string): void {
  if (!existsSync(home)) return;
  if (lstatSync(home).isSymbolicLink() || !(existsSync(files(home).ca) || existsSync(files(home).log)))
    throw usage(`${home} does not look like the home of a control server (no secrets/ca.pem, no logs), so it is not removed`, 'name the right one with --home');
  rmSync(home, { recursive: true, force: true });
}
function forget(cli: Cli, home: string): void {
  const path = configPath(cli.env);
  const config = readConfig(path);
  if (!config) return;
  const contexts = Object.fromEntries(Object.entries(config.contexts).filter(([, c]) => c.home !== home));
  const current = config.current !== undefined && config.current in contexts ? config.current : Object.keys(contexts)[0];
  writeConfig(path, { contexts, ...(current === undefined ? {} : { current }) });
}
