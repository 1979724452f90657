// Before any lab test: says what is missing, and takes away what a killed run left behind.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../../..');
const lab = (...args) =>
  execFileSync(join(root, 'node_modules/.bin/node'), [join(root, 'apps/lab/dist-bundle/lab.cjs'), ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
const isDead = (name) => {
  const [, pid] = /^(?:strata-test-)?t(\d+)-[0-9a-f]{6}$/.exec(name) ?? [];
  return pid !== undefined && !existsSync(`/proc/${pid}`);
};

export default function setUpLab() {
  if (process.platform !== 'linux' || process.getuid() !== 0)
    throw new Error(
      'The lab tests boot machines with systemd-nspawn, and that needs root on Linux: run them as root (sudo npm test), or leave them out with npm test -- --only typecheck,lint,unit,suite,scenario.',
    );
  for (const file of [
    'apps/cli/dist-bundle/strata.cjs',
    'apps/lab/dist-bundle/lab.cjs',
    'apps/server/dist-bundle/supervisor.cjs',
    'apps/agent/dist-bundle/stratad',
  ])
    if (!existsSync(join(root, file))) throw new Error(`${file} is not built; run: npm run build`);
  for (const { name } of JSON.parse(lab('list', '-o', 'json')).labs) if (isDead(name)) lab('down', '--name', name);
  for (const name of readdirSync('/var/lib').filter(isDead)) {
    const dir = join('/var/lib', name);
    stopServerOf(dir);
    rmSync(dir, { recursive: true, force: true });
  }
}
/** Kills the processes that a killed run's server left: each is known by its pid and by the directory in its arguments. */
function stopServerOf(dir) {
  try {
    const status = JSON.parse(readFileSync(join(dir, 'home/run/status.json'), 'utf8'));
    for (const pid of [status.supervisor.pid, ...Object.values(status.parts).map((p) => p.pid)])
      if (pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dir)) process.kill(pid, 'SIGKILL');
  } catch {
    // nothing of it runs
  }
}
