// node bench/rollout.ts [--rounds N] [--kind chart|manifests] [--probe] [--components N] [--dir DIR] [--keep]: how long components that need each other take, beside their own readiness and beside Helm by hand; and what importing the same images again costs.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { BenchLab, root, say } from './measure/bench-lab.ts';
import { loadNow } from './measure/cpu.ts';
import { newestRun, type RunTimes } from './measure/ledger.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '2' },
    components: { type: 'string', default: '30' },
    kind: { type: 'string', default: 'chart' },
    seed: { type: 'string', default: '7' },
    dir: { type: 'string', default: '/var/lib/strata-bench-rollout' },
    name: { type: 'string', default: 'benchro' },
    probe: { type: 'boolean', default: false }, // each is asked over HTTP whether it is ready, every second
    images: { type: 'boolean', default: false }, // the images of platform, demo and notes too
    'no-helm': { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
  },
});
const at = new BenchLab(values.dir, values.name);
const { dir, home, strata } = at;
const bundleDir = join(dir, 'bundles');
const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
const inNode = (argv: readonly string[]): string[] => at.inNode('n1', argv);
const kubectl = (...args: string[]): Promise<string> => at.run(inNode(['kubectl', '--kubeconfig', '/etc/kubernetes/admin.conf', ...args]));

/** Components by name, with what each needs: drawn from a seed (mulberry32), each of up to three of those before it, none farther than ten back. */
function graph(count: number, seed: number): Map<string, string[]> {
  let s = seed;
  const next = (below: number): number => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
  const names = Array.from({ length: count }, (_, i) => `c${String(i + 1).padStart(2, '0')}`);
  return new Map(
    names.map((n, i) => [n, i < 4 ? [] : [...new Set(Array.from({ length: 1 + next(3) }, () => names[i - 1 - next(Math.min(i, 10))] ?? ''))].sort()]),
  );
}
/** The longest chain through the graph, where each part takes `cost`: its length, and the parts. */
function longest(needs: ReadonlyMap<string, string[]>, cost: (n: string) => number): { ms: number; chain: string[] } {
  const known = new Map<string, { ms: number; chain: string[] }>();
  for (const [n, of] of needs) {
    const before = of.map((m) => known.get(m) ?? { ms: 0, chain: [] }).sort((a, b) => b.ms - a.ms)[0] ?? { ms: 0, chain: [] };
    known.set(n, { ms: before.ms + cost(n), chain: [...before.chain, n] });
  }
  return [...known.values()].sort((a, b) => b.ms - a.ms)[0] ?? { ms: 0, chain: [] };
}

const deployment = (n: string, namespace = ''): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${n}${namespace} }
spec:
  selector: { matchLabels: { app: ${n} } }
  template:
    metadata: { labels: { app: ${n} } }
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: main
          image: strata.local/web:1
          imagePullPolicy: IfNotPresent
          ports: [{ name: http, containerPort: 8080 }]
          resources: { requests: { cpu: 5m, memory: 4Mi } }
${values.probe ? '          readinessProbe: { httpGet: { path: /, port: http }, periodSeconds: 1 }\n' : ''}`;
function writeBundle(needs: ReadonlyMap<string, string[]>): void {
  const folder = join(bundleDir, 'graph');
  const isChart = values.kind === 'chart';
  const components = [...needs].map(([n, of]) => {
    const how = isChart ? `kind: chart, chart: charts/${n}, namespace: graph` : `kind: manifests, manifests: [manifests/${n}.yaml], gates: [{ rollout: { kind: Deployment, name: ${n}, namespace: graph } }]`;
    return `  - { name: ${n}, ${how}, needs: [${of.join(', ')}] }`;
  }); // prettier-ignore
  for (const n of needs.keys()) {
    const place = isChart ? join(folder, 'charts', n, 'templates') : join(folder, 'manifests');
    mkdirSync(place, { recursive: true });
    if (isChart) writeFileSync(join(dirname(place), 'Chart.yaml'), `apiVersion: v2\nname: ${n}\nversion: 1.0.0\n`);
    writeFileSync(join(place, `${n}.yaml`), deployment(n, isChart ? '' : ', namespace: graph'));
  }
  writeFileSync(join(folder, 'bundle.yaml'), `apiVersion: strata/v1\nkind: Bundle\nmetadata: { name: graph, version: 1.0.0 }\nimages: [{ name: image-web, version: '1.0' }]\ncomponents:\n${components.join('\n')}\n`);
} // prettier-ignore

interface Seen {
  made: number;
  ready: number;
}
/** Watches the Deployments of the namespace, by the API of the cluster and nobody of Strata's: when each was made and when it was ready (ms). */
function watch(): { seen: Map<string, Seen>; stop: () => void } {
  const seen = new Map<string, Seen>();
  const argv = inNode(['kubectl', '--kubeconfig', '/etc/kubernetes/admin.conf', 'get', '--raw', '/apis/apps/v1/namespaces/graph/deployments?watch=true']);
  const child = spawn(argv[0] ?? '', argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { object: o } = JSON.parse(line) as { object: { metadata: { name: string }; status: { readyReplicas?: number } } };
    const one = seen.get(o.metadata.name) ?? { made: Date.now(), ready: NaN };
    if ((o.status.readyReplicas ?? 0) > 0 && Number.isNaN(one.ready)) one.ready = Date.now();
    seen.set(o.metadata.name, one);
  });
  return { seen, stop: () => void child.kill() };
}
const emptied = async (): Promise<void> => {
  await kubectl('delete', 'namespace', 'graph', '--ignore-not-found', '--wait', '--timeout=120s');
  await kubectl('create', 'namespace', 'graph');
};

interface Measured {
  what: string;
  began: number;
  ended: number;
  seen: Map<string, Seen>;
}
/** Where the time of a component went beside its readiness, in the middle (ms): from its last need to its begin, to its object, and from ready to done. */
function tellParts({ at, steps }: RunTimes, seen: ReadonlyMap<string, Seen>): void {
  const by = new Map(steps.map((s) => [s.step, s]));
  const middle = (all: number[]): string => `${Math.round(all.sort((a, b) => a - b)[Math.floor(all.length / 2)] ?? NaN)} ms`;
  const ours = steps.flatMap((s) => {
    const of = seen.get(s.step.slice(s.step.lastIndexOf('.') + 1));
    return of ? [{ ...s, ...of, before: Math.max(...s.needs.map((n) => by.get(n)?.ended ?? 0)) }] : [];
  });
  say(
    `    in the middle: ${middle(ours.map((s) => s.started - s.before))} to begin, ${middle(ours.map((s) => s.made - at - s.started))} until it was made, ${middle(ours.map((s) => s.ready - s.made))} until it was ready, ${middle(ours.map((s) => s.ended + at - s.ready))} until it was done`,
  );
}
function tell({ what, began, ended, seen }: Measured, needs: ReadonlyMap<string, string[]>): number {
  const cost = (n: string): number => (seen.get(n)?.ready ?? NaN) - (seen.get(n)?.made ?? NaN);
  const { ms, chain } = longest(needs, cost);
  const all = [...needs.keys()].map(cost).sort((a, b) => a - b);
  say(
    `  ${what.padEnd(16)} ${seconds(ended - began)}; ready ${seconds(all[0] ?? NaN)} to ${seconds(all.at(-1) ?? NaN)} after it was made; its critical path ${seconds(ms)} over ${chain.length} (${chain.join(' ')}): ${((ended - began) / ms).toFixed(2)}; load ${loadNow()}`,
  );
  return (ended - began) / ms;
}
async function byStrata(apply: (bundles: string[]) => Promise<RunTimes>): Promise<Measured> {
  const watched = watch();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const times = await apply(['graph']);
  watched.stop();
  const steps = times.steps.filter((s) => /@graph\./.test(s.step));
  const [first, last] = [Math.min(...steps.map((s) => s.started)), Math.max(...steps.map((s) => s.ended))];
  if (steps.some((s) => s.outcome !== 'changed')) throw new Error(`not all were made: ${steps.filter((s) => s.outcome !== 'changed').map((s) => `${s.step} ${s.outcome}`).join(', ')}`); // prettier-ignore
  tellParts(times, watched.seen);
  return { what: `strata, ${values.kind}`, began: times.at + first, ended: times.at + last, seen: watched.seen };
}
/** Helm by hand: each release as soon as those that it needs are there, `--wait` for its own. */
async function byHelm(needs: ReadonlyMap<string, string[]>): Promise<Measured> {
  const helm = readdirSync(join(home, 'helm')).find((n) => n.startsWith('helm-'));
  const kubeconfig = join(dir, 'kubeconfig');
  writeFileSync(kubeconfig, await at.run([...strata, 'kubeconfig', '--cluster', at.name]), { mode: 0o600 });
  const watched = watch();
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const began = Date.now();
  const done = new Map<string, Promise<unknown>>();
  for (const [n, of] of needs) {
    const argv = [join(home, 'helm', helm ?? ''), 'upgrade', n, join(bundleDir, 'graph/charts', n), '--install', '--namespace', 'graph', '--wait', '--timeout', '5m'];
    done.set(n, Promise.all(of.map((m) => done.get(m))).then(() => at.run(argv, { env: { KUBECONFIG: kubeconfig, HOME: dir } })));
  }
  await Promise.all(done.values());
  const ended = Date.now();
  watched.stop();
  return { what: 'helm by hand', began, ended, seen: watched.seen };
} // prettier-ignore

/** What bringing images to a node took: the task's own time. */
const importMs = ({ steps }: RunTimes): number => steps.filter((s) => /\/(artifacts\.fetch|images\.import)/.test(s.step)).reduce((sum, s) => sum + s.own, 0);

async function main(): Promise<void> {
  await at.up(1, 27463, { bundleDir });
  cpSync(join(root, 'bundles'), bundleDir, { recursive: true });
  try {
    const needs = graph(Number(values.components), Number(values.seed));
    writeBundle(needs);
    const spec = await at.spec();
    const apply = async (bundles: string[]): Promise<RunTimes> => {
      const file = join(dir, 'cluster.yaml');
      writeFileSync(file, `${spec.trimEnd().replace(/\n {2}bundles:.*$/m, '')}\n  bundles: [${bundles.join(', ')}]\n`, { mode: 0o600 });
      await at.run([...strata, 'apply', '-f', file, '--yes']);
      return newestRun(home);
    };
    const bundles = values.images ? ['platform', 'demo', 'notes'] : ['demo'];
    const first = importMs(await apply(bundles));
    const again = importMs(await apply(bundles));
    say(
      `images of ${bundles.join(', ')}: first ${seconds(first)}, unchanged ${seconds(again)}: ${((100 * again) / first).toFixed(1)} % (limit 5 %); load ${loadNow()}`,
    );
    for (let i = 0; i < Number(values.rounds); i++) {
      say(`round ${i + 1}: ${needs.size} components`);
      const order = [() => byStrata(apply), ...(values['no-helm'] || values.kind !== 'chart' ? [] : [() => byHelm(needs)])];
      for (const one of i % 2 === 0 ? order : order.reverse()) {
        await emptied();
        tell(await one(), needs);
      }
    }
  } finally {
    if (!values.keep) await at.down();
  }
}
await main();
