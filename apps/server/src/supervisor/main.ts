import { join } from 'node:path';
import { supervise } from './supervise';

/** A program of its own, beside the server's: it keeps the server running and holds none of it in memory. */
const [command, ...flags] = process.argv.slice(2);
if (command === 'supervise')
  void supervise(flags, join(__dirname, 'server.cjs')).then((code) => {
    process.exitCode = code;
  });
else {
  process.stderr.write('usage: supervisor supervise [--home DIR] [--foreground]   (what `strata up` starts)\n');
  process.exitCode = 2;
}
