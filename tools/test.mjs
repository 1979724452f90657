// npm test [-- --only unit,suite,scenario,lab] [--faults]: everything that proves Strata, from a fresh clone, on any Node >= 20.
// Ends with one line summed over all runners: "N passed, N failed, N skipped".
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setUp, root, environment } from './set-up.mjs';

const args = process.argv.slice(2);
const only = args.includes('--only') ? (args[args.indexOf('--only') + 1] ?? '').split(',') : null;
const faults = args.includes('--faults');
const out = join(root, 'node_modules/.cache/test-results');
const sum = { passed: 0, failed: 0, skipped: 0 };
const lines = [];

/** Runs one runner; a runner that dies without results counts as one failure. */
function stage(name, argv, { cwd = root, results, env = {} } = {}) {
  if (only && !only.includes(name)) return;
  console.log(`\n=== ${name}: ${argv.join(' ')}`);
  const started = Date.now();
  if (results) rmSync(results, { force: true });
  const r = spawnSync(argv[0], argv.slice(1), { cwd, stdio: ['ignore', 'inherit', 'inherit'], env: { ...environment(), ...env } });
  const seconds = Math.round((Date.now() - started) / 1000);
  let n = { passed: 0, failed: 0, skipped: 0 };
  if (results && existsSync(results)) {
    const j = JSON.parse(readFileSync(results, 'utf8'));
    n = { passed: j.numPassedTests, failed: j.numFailedTests + j.numRuntimeErrorTestSuites, skipped: j.numPendingTests + j.numTodoTests };
  } else if (r.status === 0) n.passed = 1;
  if (r.status !== 0 && n.failed === 0) n.failed = 1;
  for (const k of Object.keys(sum)) sum[k] += n[k];
  lines.push(
    `${name.padEnd(10)} ${String(n.passed).padStart(5)} passed ${String(n.failed).padStart(3)} failed ${String(n.skipped).padStart(3)} skipped  ${seconds} s`,
  );
}

/** Specs start Redis processes of their own; where there is no program for it, it comes the way it comes for `strata up`. What it says when it cannot is enough: those specs then fail. */
function needRedis() {
  const program = `
    const { findRedis } = require('@strata/queue/redis');
    const { installRedis } = require('./apps/server/dist/supervisor/install-redis.js');
    if (!findRedis()) installRedis({ say: console.log, stopping: new AbortController().signal }).catch((error) => console.error(error.message));`;
  spawnSync('node', ['-e', program], { cwd: root, stdio: 'inherit', env: environment() });
}

setUp({ bundles: true });
needRedis();
mkdirSync(out, { recursive: true });
const jest = (name, config, extra = []) => {
  const results = join(out, `${name}.json`);
  stage(name, ['node', 'node_modules/jest/bin/jest.js', '-c', config, '--json', `--outputFile=${results}`, ...extra], {
    results,
    env: { NODE_OPTIONS: '--experimental-vm-modules --disable-warning=ExperimentalWarning', ...(faults ? { STRATA_FAULTS: 'all' } : {}) },
  });
};
stage('typecheck', ['nx', 'run-many', '-t', 'typecheck']);
stage('lint', ['nx', 'run-many', '-t', 'lint']);
jest('unit', 'jest.config.mjs', ['--maxWorkers=2']);
jest('suite', 'test/jest.config.mjs', ['--maxWorkers=2']);
jest('scenario', 'test/jest.scenario.config.mjs', ['--runInBand']);
jest('lab', 'test/jest.lab.config.mjs', ['--runInBand']);

console.log(`\n${lines.join('\n')}\n\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
