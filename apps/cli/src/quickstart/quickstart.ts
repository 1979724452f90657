import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { InviteAccount } from '@strata/model';
import { proveFromOutside } from './ingress-proof';
import { kubectlOf, prove, type Proof } from './proof';
import { must, QuickstartError, run } from './programs';
import { lacks, thisMachine } from './requirements';

export interface QuickstartOptions {
  name: string;
  nodes: number;
  base: 'bare' | 'ready';
  bundles: string; // a,b: what is rolled out
  hosts?: string; // user@a,user@b: your own machines instead of a lab
  remove?: boolean;
  version?: string; // of Kubernetes
  home?: string; // the control server's
}
/** Of cluster and lab, where none is given. */
export const defaultName = 'quickstart';
/** The spec that quickstart applies says `kubernetes` and why: no package registry carries a K3s binary, and quickstart promises to need nothing else. */
export const why = '# kubernetes, because K3s (the default) is in no package registry: with its vendor reachable, write `kind: k3s`';

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** One command from a fresh machine to a running, proven cluster. Returns the exit code. */
export async function quickstart(options: QuickstartOptions, strata: readonly [string, ...string[]]): Promise<number> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  const timings: { what: string; ms: number }[] = [];
  const timed = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    say(`\n==> ${what}`);
    const started = performance.now();
    const result = await work();
    timings.push({ what, ms: performance.now() - started });
    return result;
  };
  const home = options.home ? ['--home', options.home] : [];
  const cli = (...args: string[]): [string, ...string[]] => [strata[0], ...strata.slice(1), ...args];

  if (options.remove) return remove(options, cli, say);
  if (!options.hosts) {
    const missing = lacks(thisMachine());
    if (missing.length > 0) {
      say(`This machine cannot hold the quickstart's ${options.nodes} nodes:`);
      for (const m of missing) say(`  - ${m}`);
      say('\nYour own machines will do as well (Debian or Ubuntu, reachable by SSH):\n  npm run quickstart -- --hosts user@a,user@b,user@c');
      return 2;
    }
  }
  const began = performance.now();
  await timed('the control server starts on this host', () => must('strata up', cli('up', ...home), { show: true, timeoutMs: 300_000 }));
  const spec = options.hosts
    ? specOfHosts(options)
    : await timed(`${options.nodes} ${options.base} machines start (Debian 12, systemd, sshd)`, async () => {
        await must('strata lab up', cli('lab', 'up', '--name', options.name, '--nodes', String(options.nodes), '--base', options.base), {
          show: true,
          timeoutMs: 900_000,
        });
        return (await must('strata lab spec', cli('lab', 'spec', '--name', options.name, '--distribution', 'kubernetes'), { timeoutMs: 60_000 })).stdout;
      });
  const dir = join(process.env.XDG_STATE_HOME ?? join(process.env.HOME ?? '/root', '.local/state'), 'strata');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, `${options.name}.cluster.yaml`);
  writeFileSync(file, withBundles(spec, options.bundles, options.version), { mode: 0o600 });
  say(`    the spec is ${file}`);
  await timed('they become a cluster', async () => {
    const r = await run(cli('apply', '-f', file, '--yes'), { show: true, timeoutMs: 3_600_000 });
    if (r.code !== 0)
      throw new QuickstartError(
        `strata apply ended with exit status ${r.code}; \`./strata runs list\` shows the run, \`./strata runs resume RUN\` goes on with it`,
        r.code,
      );
  });
  const proof = await timed('does it work? asked from every node', () =>
    prove(kubectlOf(strata, options.name), options.hosts ? options.hosts.split(',').length : options.nodes),
  );
  const pages = options.bundles.split(',').includes('notes')
    ? await timed('does it keep what it is told? asked from outside, through the ingress of every node', () =>
        proveFromOutside(
          proof.nodes.map((n) => n.address),
          `the quickstart was here at ${new Date().toISOString()}`,
        ),
      )
    : [];
  const invited = await invite(cli);
  await timed('is all of it well?', () => must('strata status', cli('status', '--cluster', options.name), { show: true, timeoutMs: 120_000 }));
  summary({ options, proof, pages, invited, timings, total: performance.now() - began, say });
  return 0;
}

function summary(s: {
  options: QuickstartOptions;
  proof: Proof;
  pages: string[];
  invited: string;
  timings: { what: string; ms: number }[];
  total: number;
  say: (line: string) => void;
}): void {
  const { say, proof } = s;
  say('\nThe cluster works.');
  for (const n of proof.nodes) say(`  ${n.name.padEnd(10)} Ready  ${n.version}   service web answered from: ${(proof.answers[n.name] ?? []).join(', ')}`);
  for (const page of s.pages) say(`  ${page}`);
  if (s.invited !== '') say(`\nThe first user\n${s.invited.replaceAll(/^/gm, '  ')}`);
  say('\nWhere the time went');
  for (const t of s.timings) say(`  ${seconds(t.ms).padStart(9)}  ${t.what}`);
  say(`  ${seconds(s.total).padStart(9)}  in all`);
  say('\nLook around');
  say('  ./strata status                          the three layers, nodes, runs, what is going on');
  say(`  ./strata pods                            every pod, and what is wrong with which`);
  say('  ./strata runs list                       and `./strata runs watch RUN`: every step, what it changed, how long it took');
  if (!s.options.hosts) say(`  ./strata lab exec --name ${s.options.name} n2 -- systemctl status stratad`);
  say('Take it away again');
  say(`  ${removal(s.options)}`);
}
/** The command that takes away what these options made. */
export function removal({ name, home }: Pick<QuickstartOptions, 'name' | 'home'>): string {
  const word = (text: string): string => (/^[A-Za-z0-9_./~+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const flags = [...(name === defaultName ? [] : ['--name', word(name)]), ...(home === undefined ? [] : ['--home', word(home)])];
  return ['npm run quickstart -- --remove', ...flags].join(' ');
}

/** A link for the first user, where nobody was invited yet: whoever ran this, as administrator. */
async function invite(cli: (...args: string[]) => [string, ...string[]]): Promise<string> {
  const known = JSON.parse((await must('strata user list', cli('user', 'list', '-o', 'json'), { timeoutMs: 30_000 })).stdout) as unknown[];
  if (known.length > 0) return '';
  const name = (process.env.SUDO_USER ?? process.env.USER ?? '').toLowerCase();
  const fits = InviteAccount.safeParse({ name }).success ? name : 'owner';
  return (await must('strata user invite', cli('user', 'invite', fits, '--role', 'admin'), { timeoutMs: 30_000 })).stdout.trimEnd();
}

const hostText = /^(?:([^@\s]+)@)?([A-Za-z0-9.-]+)(?::(\d+))?$/;

/** Turns `user@a,user@b:2222` into a spec; host keys are taken from known_hosts, never unseen. @throws QuickstartError naming what is no host */
export function specOfHosts(options: Pick<QuickstartOptions, 'hosts' | 'name'>): string {
  const nodes = (options.hosts ?? '').split(',').filter(Boolean).map((text, i) => {
    const [, user = 'root', host, port] = hostText.exec(text.trim()) ?? [];
    if (host === undefined) throw new QuickstartError(`--hosts: "${text}" is not USER@HOST or USER@HOST:PORT`, 2);
    const isAddress = /^\d+\.\d+\.\d+\.\d+$/.test(host);
    const ssh = [`user: ${user}`, ...(isAddress ? [] : [`host: ${host}`]), ...(port ? [`port: ${port}`] : [])].join(', ');
    return `    - { name: n${i + 1}, ${isAddress ? `address: ${host}, ` : ''}role: ${i === 0 ? 'control-plane' : 'worker'}, ssh: { ${ssh} } }`;
  }); // prettier-ignore
  return `apiVersion: strata/v1\nkind: Cluster\nmetadata: { name: ${options.name} }\nspec:\n  distribution: { kind: kubernetes, version: 1.37.2 }\n  nodes:\n${nodes.join('\n')}\n`;
}
/** Adds the bundles, the reason for the distribution, and another version if asked for. */
export function withBundles(spec: string, bundles: string, version?: string): string {
  const reasoned = spec.trimEnd().replace(/^ {2}distribution:/m, `  ${why}\n  distribution:`);
  const versioned = version ? reasoned.replace(/version: [\d.]+/, `version: ${version}`) : reasoned;
  return `${versioned.replace(/^ {2}bundles:.*\n?/m, '')}\n  bundles: [${bundles.split(',').join(', ')}]\n`;
}

async function remove(options: QuickstartOptions, cli: (...args: string[]) => [string, ...string[]], say: (line: string) => void): Promise<number> {
  const listed = await run(cli('cluster', 'list', '-o', 'json'), { timeoutMs: 30_000 });
  const clusters = listed.code === 0 ? (JSON.parse(listed.stdout) as { name: string; state: string }[]) : [];
  const cluster = clusters.find((c) => c.name === options.name);
  const labs = await run(cli('lab', 'list', '-o', 'json'), { timeoutMs: 30_000 });
  const inLab = labs.code === 0 && (JSON.parse(labs.stdout) as { labs: { name: string }[] }).labs.some((l) => l.name === options.name);
  if (cluster && cluster.state !== 'uninstalled') {
    say('==> the cluster is uninstalled: every machine as it was before');
    const r = await run(cli('uninstall', options.name, '--yes'), { show: true, timeoutMs: 900_000 });
    if (r.code !== 0 && !inLab) throw new QuickstartError('strata uninstall did not end well; look at what it says above, then run this again', r.code);
  }
  if (cluster) await must('strata cluster delete', cli('cluster', 'delete', options.name, '--force', '--yes'), { show: true, timeoutMs: 60_000 });
  if (inLab) {
    say('==> the lab goes');
    await must('strata lab down', cli('lab', 'down', '--name', options.name), { show: true, timeoutMs: 120_000 });
  }
  const others = clusters.filter((c) => c.name !== options.name).map((c) => c.name);
  if (others.length > 0) {
    say(`==> the control server stays: it also serves ${others.join(', ')}`);
    return 0;
  }
  say('==> the control server stops');
  const down = await run(cli('down', ...(options.home ? ['--home', options.home] : [])), { show: true, timeoutMs: 120_000 });
  return down.code;
}
