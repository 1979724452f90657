import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDatabase, livePostgres, postgresAnswers, postgresCommand, preparePostgres } from '@strata/store/postgres';
import { giveTree } from './home';
import type { Part } from './keeper';
import { findProcesses, gone, processOf } from './processes';

const initDeadlineMs = 60_000;

/** Our own PostgreSQL in `dir`. */
export function postgresPart(dir: string): Part {
  const data = join(dir, 'data');
  const connection = { host: join(dir, 'run'), user: 'strata', database: 'strata' };
  return {
    name: 'postgres',
    find: () => {
      const pid = livePostgres({ data });
      return pid === undefined ? undefined : processOf(pid);
    },
    prepare: async () => {
      for (const init of findProcesses((argv) => argv[0]?.endsWith('/initdb') === true && argv.includes(data))) await gone(init, initDeadlineMs); // left by a killed supervisor
      const home = await preparePostgres(dir);
      const version = join(data, 'PG_VERSION');
      if (home.account && existsSync(version) && statSync(version).uid !== home.account.uid) giveTree(data, home.account); // from another machine, or the account came later
      return postgresCommand(home);
    },
    answers: () => postgresAnswers(connection),
    answered: () => ensureDatabase(connection),
    stop: { signal: 'SIGINT', deadlineMs: 30_000, thenSignal: 'SIGQUIT' }, // fast shutdown; then at once, with recovery at the next start
  };
}
