import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { supervise } from '../supervise';

/** A program like the server's, for specs: `supervise` is the real one, `serve` only writes its ports and waits; it crashes while HOME/crash exists. */
const [command, ...rest] = process.argv.slice(2);
if (command === 'supervise') void supervise(rest).then((code) => (process.exitCode = code));
else {
  const { values } = parseArgs({ args: rest, options: { home: { type: 'string' } }, strict: false });
  const home = String(values.home);
  if (existsSync(join(home, 'crash'))) {
    process.stderr.write('the file crash is there\n');
    process.exit(3);
  }
  const answered = (path: string): boolean => existsSync(join(home, path));
  writeFileSync(join(home, 'run/needs.json'), JSON.stringify({ postgres: answered('pg/run/.s.PGSQL.5432'), redis: answered('redis/redis.sock') }));
  writeFileSync(join(home, 'run/ports.json'), '{}');
  const waiting = setInterval(() => undefined, 60_000);
  process.once('SIGTERM', () => clearInterval(waiting));
}
