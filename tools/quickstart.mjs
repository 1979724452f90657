// npm run quickstart [-- --hosts user@a,user@b | --remove | --base ready]: set up, then `strata quickstart`. Plain Node >= 20.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { environment, root, setUp } from './set-up.mjs';

setUp({ bundles: true });
const r = spawnSync(join(root, 'node_modules/.bin/node'), [join(root, 'apps/cli/dist-bundle/strata.cjs'), 'quickstart', ...process.argv.slice(2)], { stdio: 'inherit', env: environment() });
process.exitCode = r.status ?? 1;
