// What a fresh clone needs before anything of Strata runs: packages, generated code, bundles. Plain Node >= 20, no dependency.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** Our own Node first on the PATH; Nx quiet. */
export const environment = () => ({ ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env.PATH}`, NX_DAEMON: 'false', NX_NO_CLOUD: 'true', npm_config_loglevel: 'error', FORCE_COLOR: '0' });

function must(what, argv, remedy) {
  const started = Date.now();
  console.log(`==> ${what}`);
  const r = spawnSync(argv[0], argv.slice(1), { cwd: root, env: environment(), encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20 });
  if (r.status !== 0) {
    console.error(`${(r.stdout ?? '') + (r.stderr ?? '')}\n${what}: \`${argv.join(' ')}\` failed${r.error ? ` (${r.error.message})` : ''}. ${remedy}`);
    process.exit(1);
  }
  console.log(`    done in ${Math.round((Date.now() - started) / 1000)} s`);
}
/** Installs packages when package-lock.json changed since the last time, then builds. */
export function setUp({ bundles }) {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 20) {
    console.error(`Node ${process.versions.node} is too old to start: install Node 20 or newer with npm (Strata then brings its own Node 24).`);
    process.exit(1);
  }
  const lock = createHash('sha256').update(readFileSync(join(root, 'package-lock.json'))).digest('hex');
  const stamp = join(root, 'node_modules/.strata-lock');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
    must('installing packages (npm ci)', ['npm', 'ci', '--no-fund', '--no-audit'], 'Check that the npm registry can be reached, then run this again.');
    mkdirSync(dirname(stamp), { recursive: true });
    writeFileSync(stamp, lock);
  }
  if (bundles) must('building server, agent, CLI and lab (nx, cached)', ['nx', 'run-many', '-t', 'build,bundle', '--output-style=static'], 'Read the compiler output above.');
}
if (process.argv[1] === fileURLToPath(import.meta.url)) setUp({ bundles: !process.argv.includes('--no-bundles') });
