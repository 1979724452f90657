import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { loadSettings, SettingsError, type Settings } from '../settings';
import { deferred } from './deferred';
import { makeHome } from './home';
import { inWords, Keeper } from './keeper';
import { HomeTaken, takeLock } from './lock';
import { Logs } from './logs';
import { postgresPart } from './postgres-part';
import { redisPart } from './redis-part';
import { serverPart } from './server-part';
import { StatusFile } from './status';

const rotateEveryMs = 30_000;

/**
 * Keeps PostgreSQL, Redis and the server of one home running until SIGTERM or SIGINT, then ends them in reverse order.
 * Each writes its own log; the state of all is in `HOME/run/status.json`. What it finds alive it takes over.
 * @param argv flags of `settings.ts`, and `--foreground`: its own log also goes to standard error.
 * @param program the file that knows the command `serve`.
 * @returns the exit code: 0 stopped as asked, 1 a part cannot be started, 2 wrong settings, 5 another supervisor keeps this home.
 */
export async function supervise(argv: readonly string[], program = process.argv[1] ?? ''): Promise<number> {
  const flags = argv.filter((word) => word !== '--foreground');
  try {
    const given = loadSettings(process.env, flags);
    const home = makeHome(given.home);
    const settings = home === given.home ? given : loadSettings(process.env, [...flags, '--home', home]);
    const release = takeLock(join(home, 'run/supervisor.pid'));
    try {
      return await keepAll({ settings, flags, entry: realpathSync(program), foreground: argv.includes('--foreground') });
    } finally {
      release();
    }
  } catch (error) {
    process.stderr.write(`strata's supervisor does not run: ${inWords(error)}\n`);
    return error instanceof HomeTaken ? 5 : error instanceof SettingsError ? 2 : 1;
  }
}

interface Keeping {
  settings: Settings;
  flags: readonly string[];
  entry: string;
  foreground: boolean;
}
async function keepAll({ settings, flags, entry, foreground }: Keeping): Promise<number> {
  const { home } = settings;
  const stopping = deferred<string>();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => stopping.resolve(name));
  process.on('SIGHUP', () => undefined); // the terminal that started us is gone
  const logs = new Logs(join(home, 'logs'), foreground);
  logs.say(`supervisor: started as process ${process.pid} for ${home}`);
  const status = new StatusFile(join(home, 'run/status.json'), (error) => logs.say(`supervisor: run/status.json is out of date: ${inWords(error)}`));
  const around = { status, logs };

  const needed: Keeper[] = [];
  if ('url' in settings.database) around.status.set('postgres', { state: 'external' });
  else needed.push(new Keeper(postgresPart(join(home, 'pg')), around));
  if ('url' in settings.redis) around.status.set('redis', { state: 'external' });
  else needed.push(new Keeper(redisPart(join(home, 'redis'), logs), around));
  const needs = (): Promise<unknown> => Promise.all(needed.map((keeper) => keeper.untilAnswering()));
  const keepers = [...needed, new Keeper(serverPart({ settings, flags: withoutHome(flags), entry, logs, needs }), around)];

  const rotating = setInterval(() => logs.rotate(['supervisor', 'postgres', 'redis', 'server']), rotateEveryMs);
  const failed = deferred<Error>();
  for (const keeper of keepers) keeper.keep().catch((error: unknown) => failed.resolve(error instanceof Error ? error : new Error(String(error))));
  const why = await Promise.race([stopping.promise, failed.promise]);
  logs.say(`supervisor: stops (${typeof why === 'string' ? why : inWords(why)})`);
  around.status.supervisor('stopping');
  for (const keeper of keepers.toReversed()) await keeper.stop();
  clearInterval(rotating);
  around.status.supervisor('stopped');
  logs.say('supervisor: all stopped');
  if (typeof why !== 'string') throw why;
  return 0;
}

function withoutHome(flags: readonly string[]): string[] {
  return flags.filter((word, i) => word !== '--home' && flags[i - 1] !== '--home' && !word.startsWith('--home='));
}
