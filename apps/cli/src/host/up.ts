import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { ApiClient, connectTo, ConnectionError } from '@strata/api-client';
import { exitCodes } from '@strata/model';
import { CliError, usage } from '../cli-error';
import { configPath, readConfig, writeConfig } from '../context/config-file';
import type { Cli } from '../commands/cli';
import { down } from './down';
import { bundleOf } from './root';
import { files, homeOf, livingSupervisor, readPorts, readStatus } from './server-home';
import { hasUnit, installUnit, isOfUnit, unitEnded, unitFits, unitName } from './unit';

export interface UpFlags {
  home?: string;
  foreground?: boolean;
  /** False: without a unit, although there could be one. */
  unit: boolean;
  timeout: number; // ms
  advertise?: string[];
  context: string;
}
const pollMs = 100;
const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** Starts the control server of this host, or finds it running, waits until it takes work, and makes it this user's current server. */
export async function up(cli: Cli, flags: UpFlags): Promise<void> {
  const home = resolve(homeOf(flags.home, cli.env));
  const began = performance.now();
  const living = livingSupervisor(home);
  const argv = [bundleOf('server', 'supervisor.cjs'), 'supervise', '--home', home, ...(flags.advertise ?? []).flatMap((a) => ['--advertise', a])];
  if (flags.foreground === true) {
    if (living !== null) throw usage(`a control server runs in ${home} already (process ${living})`, 'stop it first: strata down');
    return inForeground(cli, argv, { home, flags });
  }
  if (living === null) cli.terminal.out(`starting the control server in ${home}`);
  const asUnit = flags.unit && unitFits(home);
  const child = living === null && !asUnit ? startDetached(argv, home) : null;
  child?.unref(); // it outlives us; while we wait, our own timers keep us
  if (asUnit && (living === null || !hasUnit(home))) {
    makeFolders(home);
    installUnit([process.execPath, ...argv], { home, env: cli.env, start: living === null });
  }
  const url = await untilReady(home, {
    child,
    ended: asUnit && living === null ? unitEnded : () => null,
    timeoutMs: flags.timeout,
    tell: (words) => cli.terminal.out(`  ${words}`),
  }).catch(async (error: unknown) => {
    // what cannot become ready by itself is not left behind, trying for ever
    if (error instanceof PortsTaken && living === null) await down(cli, { home, timeout: 60_000 });
    throw error;
  });
  const before = remember(cli, { home, url, name: flags.context });
  const what = living === null ? `is up after ${((performance.now() - began) / 1000).toFixed(1)} s` : 'runs already';
  cli.terminal.out(`the control server ${what}: ${url}`);
  cli.terminal.out(`  state in ${home}, logs in ${dirname(files(home).log)}; this user's context "${flags.context}" is in ${configPath(cli.env)}`);
  if (before !== undefined && before !== flags.context)
    cli.terminal.out(`  "${flags.context}" is the current context now; "${before}" was: commands reach it with --context ${before}`);
  if (asUnit && living !== null && !isOfUnit(living))
    cli.terminal.out(`  from the next boot on it is ${unitName}; now it is a process of its own: \`strata down && strata up\` changes that`);
  else if (asUnit) cli.terminal.out(`  it is ${unitName}: it survives this terminal and a reboot`);
  cli.terminal.out('  next: strata init > cluster.yaml, edit it, strata apply -f cluster.yaml; stop it with: strata down');
}

function makeFolders(home: string): void {
  const { log } = files(home);
  try {
    mkdirSync(dirname(log), { recursive: true, mode: 0o711 });
    chmodSync(home, 0o711);
    chmodSync(dirname(log), 0o700);
  } catch (cause) {
    throw usage(`${home} cannot be made: ${(cause as Error).message}`, 'run it as root, or name another directory with --home', cause);
  }
}

/** Its own session, its output in a log: it outlives us and our terminal. */
function startDetached(argv: readonly string[], home: string): ChildProcess {
  makeFolders(home);
  const out = openSync(files(home).log, 'a', 0o600);
  try {
    return spawn(process.execPath, argv, { detached: true, stdio: ['ignore', out, out], cwd: '/' });
  } finally {
    closeSync(out);
  }
}

function inForeground(cli: Cli, argv: readonly string[], at: { home: string; flags: UpFlags }): Promise<void> {
  const child = spawn(process.execPath, argv, { stdio: 'inherit' });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  process.on('SIGINT', pass).on('SIGTERM', pass);
  untilReady(at.home, { child, ended: () => null, timeoutMs: at.flags.timeout, tell: () => undefined }).then(
    (url) => remember(cli, { home: at.home, url, name: at.flags.context }),
    (error: unknown) => cli.terminal.err(`strata: ${(error as Error).message}`),
  );
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('close', (code) => {
      process.off('SIGINT', pass).off('SIGTERM', pass);
      cli.exit(code ?? exitCodes.failed);
      done();
    });
  });
}

/** Waits for the answer of /readyz. Returns the server's URL. @throws CliError with the last words of its log */
async function untilReady(
  home: string,
  at: { child: ChildProcess | null; ended: () => string | null; timeoutMs: number; tell: (words: string) => void },
): Promise<string> {
  const until = performance.now() + at.timeoutMs;
  let last = 'it has not said on which port it listens';
  const told = new Set<string>();
  while (performance.now() < until) {
    const { exitCode = null, signalCode = null } = at.child ?? {};
    const gone = exitCode !== null || signalCode !== null ? (signalCode ?? `exit status ${exitCode}`) : at.ended();
    if (gone !== null) {
      const said = lastLines(files(home).log, 12);
      throw new CliError(`the control server ended at once (${gone})${said ? `; its last words:\n${said}` : ''}`, {
        exitCode: exitCodes.failed,
        remedy: `look at ${files(home).log}`,
      });
    }
    const ports = readPorts(home);
    if (ports !== null) {
      const url = `https://127.0.0.1:${ports.api}`;
      const answer = await asked(url, home);
      if (answer === null) return url;
      last = answer;
    }
    for (const words of readStatus(home)?.supervisor.pid === (at.child?.pid ?? livingSupervisor(home)) ? troubles(home) : []) {
      const taken = words.split('\n').flatMap((line) => /port \d+ is taken by another program.*$/.exec(line)?.[0] ?? []);
      if (taken.length > 0) throw new PortsTaken(home, taken);
      if (!told.has(words)) at.tell(words);
      told.add(words);
    }
    await sleep(pollMs);
  }
  const parts = Object.entries(readStatus(home)?.parts ?? {}).map(([name, p]) => `${name} ${p.state}`);
  throw new CliError(
    `the control server in ${home} does not take work after ${Math.round(at.timeoutMs / 1000)} s: ${last}${parts.length > 0 ? `; ${parts.join(', ')}` : ''}`,
    {
      exitCode: exitCodes.timeout,
      remedy: `look at ${files(home).log}; it goes on starting, so \`strata up\` again may find it ready`,
    },
  );
}
/** Another program has our ports: waiting does not help. */
class PortsTaken extends CliError {
  constructor(home: string, taken: readonly string[]) {
    super(`the control server in ${home} cannot listen:\n${taken.map((words) => `  ${words}`).join('\n')}`, {
      exitCode: exitCodes.failed,
      remedy: 'then run strata up again; once nodes have joined, keep the ports: their agents dial them',
    });
  }
}

/** What does not start, and why, as the supervisor tells it. */
const troubles = (home: string): string[] =>
  Object.entries(readStatus(home)?.parts ?? {}).flatMap(([name, part]) =>
    part.state === 'failed' && part.lastExit ? [`${name} does not start: ${part.lastExit.because}`] : [],
  );

/** Null when it is ready, else why not. */
async function asked(url: string, home: string): Promise<string | null> {
  let client: ApiClient | null = null;
  try {
    client = new ApiClient(await connectTo({ url, caPem: readFileSync(files(home).ca, 'utf8') }), { token: '', timeoutMs: 5_000 });
    const { ready, text } = await client.ready();
    return ready ? null : text;
  } catch (error) {
    if (error instanceof ConnectionError || (error as { code?: string }).code === 'ENOENT') return (error as Error).message;
    throw error;
  } finally {
    client?.close();
  }
}

/** @returns the context that was the current one until now */
function remember(cli: Cli, server: { home: string; url: string; name: string }): string | undefined {
  const path = configPath(cli.env);
  const config = readConfig(path) ?? { contexts: {} };
  const { token, ca } = files(server.home);
  const context = { server: server.url, ca: readFileSync(ca, 'utf8'), tokenFile: token, home: server.home };
  writeConfig(path, { ...config, current: server.name, contexts: { ...config.contexts, [server.name]: context } });
  return config.current;
}

function lastLines(path: string, count: number): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-count).map((l) => `  ${l}`).join('\n'); // prettier-ignore
  } catch {
    return '';
  }
}
