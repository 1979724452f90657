// node bench/quickstart.ts [--pairs N] [--dir DIR] [--no-yardstick] [--keep]: the warm quickstart beside the yardstick, in the same run.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { cgroupSeconds, type CpuUse, CpuWatch, loadNow } from './measure/cpu.ts';
import { criticalPath, hops, newestRun, type Part, type RunTimes } from './measure/ledger.ts';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);
const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '2' },
    dir: { type: 'string', default: '/var/lib/strata-bench' },
    name: { type: 'string', default: 'bench' },
    base: { type: 'string', default: '/srv/lab/img' }, // the yardstick's rootfs
    'no-yardstick': { type: 'boolean', default: false },
    steps: { type: 'boolean', default: false },
    quiet: { type: 'string', default: '0' }, // on a shared machine: wait up to 10 minutes for a load below this before each measurement
    keep: { type: 'boolean', default: false },
  },
});
const { dir, name } = values;
const home = join(dir, 'server');
const strata = [join(root, 'node_modules/.bin/node'), join(root, 'apps/cli/dist-bundle/strata.cjs')];
const ours = { XDG_CONFIG_HOME: join(dir, 'config'), XDG_STATE_HOME: join(dir, 'state'), STRATA_HOME: home };
const yard = { L: join(dir, 'yardstick'), W: join(dir, 'yardstick-work'), BASE: values.base, BR: 'strabench0', NET: '10.77.199', NAT: 'strabenchnat' };
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

interface Ran {
  ms: number;
  out: string;
}
function run(argv: readonly string[], env: Record<string, string>, show = false): Promise<Ran> {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0] ?? '', argv.slice(1), { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (part: Buffer) => {
        out += part.toString();
        if (show) process.stdout.write(part);
      });
    child.once('error', reject);
    child.once('close', (code) =>
      code === 0
        ? resolve({ ms: performance.now() - began, out })
        : reject(new Error(`\`${argv.join(' ')}\` ended with exit status ${code ?? 'signal'}\n${out.slice(-2000)}`)),
    );
  });
}
const lab = (...args: string[]): Promise<Ran> => run(['bash', join(here, 'yardstick/lab.sh'), ...args], yard);

/** The proven shell scripts, from nothing to all pods running. */
async function yardstick(): Promise<{ ms: number; cpu: number | null }> {
  await calm();
  for (const d of [yard.L, yard.W]) mkdirSync(d, { recursive: true });
  const began = performance.now();
  try {
    await lab('net');
    await Promise.all(['n1', 'n2', 'n3'].map((n) => lab('up', n)));
    const up = performance.now() - began;
    const cluster = await run(['bash', join(here, 'yardstick/30-cluster.sh'), 'up'], yard);
    const ms = performance.now() - began;
    const cpu = cgroupSeconds('lab-n');
    say(
      `    yardstick ${seconds(ms)} (machines ${seconds(up)}, cluster ${seconds(cluster.ms)}), CPU of its nodes ${cpu?.toFixed(1) ?? '?'} s; load ${loadNow()}`,
    );
    return { ms, cpu };
  } finally {
    await lab('clean');
    await run(['sh', '-c', `ip route del unreachable ${yard.NET}.0/24 metric 4242 2>/dev/null || true`], {});
  }
}

async function calm(): Promise<void> {
  const limit = Number(values.quiet);
  for (let waited = 0; limit > 0 && Number(loadNow().split(' ')[0]) > limit && waited < 600; waited += 2) await sleep(2000);
}

interface Measured {
  ms: number;
  run: RunTimes;
  again: { ms: number; run: RunTimes };
  cpu: CpuUse[];
  nodes: number | null;
  stages: { what: string; s: number }[];
}
/** `strata quickstart` on the `ready` base, then the same spec again; then everything goes, but the caches and the server's state. */
async function quickstart(): Promise<Measured> {
  await calm();
  const isOurs = ({ cgroup, argv, environ }: { cgroup: string; argv: string; environ: () => string }): string | null => {
    const node = new RegExp(`strata-lab-${name}-(\\w+)/`).exec(cgroup)?.[1];
    if (node !== undefined) return node;
    return argv.includes(dir) || environ().includes(`STRATA_HOME=${home}`) ? 'host' : null;
  };
  const watch = new CpuWatch(isOurs);
  let cpu: CpuUse[] = [];
  try {
    const did = await run([...strata, 'quickstart', '--base', 'ready', '--bundles', 'demo', '--name', name, '--home', home], ours);
    cpu = watch.stop();
    const nodes = cgroupSeconds(`strata-lab-${name}-`);
    const stages = [...did.out.matchAll(/^\s+([\d.]+) s {2}(.+)$/gm)].map((m) => ({ s: Number(m[1]), what: m[2] ?? '' }));
    const first = await newestRun(home);
    const apply = await run([...strata, 'apply', '-f', join(dir, 'state/strata', `${name}.cluster.yaml`), '--yes'], ours);
    const again = { ms: apply.ms, run: await newestRun(home) };
    const changed = again.run.steps.filter((s) => s.outcome === 'changed');
    if (changed.length > 0) say(`    NOT IDEMPOTENT: changed again: ${changed.map((s) => s.step).join(', ')}`);
    return { ms: did.ms, run: first, again, cpu, nodes, stages };
  } finally {
    watch.stop();
    if (!values.keep) await run([...strata, 'quickstart', '--remove', '--name', name, '--home', home], ours);
  }
}

function tell(m: Measured, ratio: number | null): void {
  const { parts, chain } = criticalPath(m.run);
  const order: Part[] = ['transfer', 'agent', 'checks', 'cluster', 'engine'];
  say(`    quickstart ${seconds(m.ms)}${ratio === null ? '' : `, ${ratio.toFixed(2)} times the yardstick`}; load ${loadNow()}`);
  for (const { what, s } of m.stages) say(`      ${s.toFixed(1).padStart(7)} s  ${what}`);
  say(`    the run ${seconds(m.run.total)}, by its longest chain: ${order.map((p) => `${p} ${seconds(parts[p])}`).join(', ')}`);
  const h = hops(m.run);
  say(`    from a step's last need to its own start: median ${h.median} ms, nine of ten within ${h.p90} ms`);
  for (const c of chain) if (values.steps || c.ran + c.wait > 1500) say(`      ${seconds(c.ran).padStart(7)} (+${c.wait} ms) ${c.step}`);
  const of = (where: string): number => m.cpu.filter((c) => c.name.startsWith(where)).reduce((a, c) => a + c.seconds, 0);
  say(
    `    CPU: control host ${of('host/').toFixed(1)} s, nodes ${(m.nodes ?? of('n')).toFixed(1)} s; most: ${m.cpu
      .slice(0, 14)
      .map((c) => `${c.name} ${c.seconds.toFixed(1)}`)
      .join(', ')}`,
  );
  const again = hops(m.again.run);
  const ran = m.again.run.steps;
  say(
    `    apply again ${seconds(m.again.ms)}: ${ran.filter((s) => s.outcome === 'changed').length} of ${ran.length} changed; planned after ${m.again.run.planned} ms, run ${seconds(m.again.run.total)}, hop median ${again.median} ms`,
  );
}

mkdirSync(home, { recursive: true, mode: 0o711 });
writeFileSync(join(home, 'server.yaml'), 'apiPort: 27443\nagentPort: 27444\nartifactPort: 27445\nenrollPort: 27446\n'); // beside an installation that lives
const ratios: number[] = [];
const all: Measured[] = [];
for (let i = 0; i < Number(values.pairs); i++) {
  say(`==> pair ${i + 1} of ${values.pairs}; load ${loadNow()}`);
  const yardFirst = i % 2 === 0;
  let y: number | null = null;
  if (!values['no-yardstick'] && yardFirst) y = (await yardstick()).ms;
  const m = await quickstart();
  if (!values['no-yardstick'] && !yardFirst) y = (await yardstick()).ms;
  const ratio = y === null ? null : m.ms / y;
  if (ratio !== null) ratios.push(ratio);
  all.push(m);
  tell(m, ratio);
}
const middle = (list: number[]): number => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)] ?? NaN;
say(
  `==> quickstart ${all.map((m) => seconds(m.ms)).join(', ')}; ratio ${ratios.map((r) => r.toFixed(2)).join(', ')} (middle ${middle(ratios).toFixed(2)}, at most 2.5); apply again ${all.map((m) => seconds(m.again.ms)).join(', ')} (at most 5 s)`,
);
if (!values.keep) say(`    left: ${dir} (${readdirSync(dir).join(', ')}): the server's state, for the next warm run`);
