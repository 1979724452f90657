import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ChartRef, type ObjectRef, type ReleaseRef, type Releases, type Revision, TaskError } from '@strata/tasks';
import { execa } from 'execa';
import { Connection, orNull } from './connection';
import { HelmRecords, keepInRecord, refsIn } from './helm-record';

export interface HelmOptions {
  /** Gives the program, or fails with what to do; asked at each call. */
  binary: () => Promise<string>;
  /** As text, or fails with what is awaited; asked at each call. */
  kubeconfig: () => Promise<string>;
  /** A folder of the server's own, 0700: the kubeconfig lies there while Helm runs. */
  scratch: string;
  /** The folder of a chart whose content is the one that was planned. @throws TaskError where it is not */
  chartDir: (chart: ChartRef) => Promise<string>;
}
const keptRevisions = 10;
const askMs = 30_000;
const graceMs = 30_000; // for Helm itself to give up at its own time-out, and to write that down
const longestOutput = 64 * 1024 * 1024;

const notThere = /release: not found/;
/** Lines that say nothing of the cause. */
const noise = /^(WARNING|Release ".*" does not exist|level=|\s*$)/;

/** Helm's program for one cluster, and what it wrote down there: that is read without it. The program finds nothing of whoever runs the server: no plugins, no repositories, no other kubeconfig. */
export class Helm implements Releases {
  private kept: { kubeconfig: string; connection: Connection; records: HelmRecords } | null = null;

  constructor(private readonly options: HelmOptions) {}

  async newest(of: ReleaseRef): Promise<Revision | null> {
    const record = await (await this.api()).records.newest(of);
    return record && { revision: record.revision, status: record.status, description: record.description };
  }
  async upgrade(of: ReleaseRef, what: Parameters<Releases['upgrade']>[1], limits: Parameters<Releases['upgrade']>[2]): Promise<void> {
    const dir = await this.options.chartDir(what);
    const argv = ['upgrade', of.release, dir, '--install', '--namespace', of.namespace, '--create-namespace', '--history-max', String(keptRevisions)];
    await this.run([...argv, '--description', what.description, '--values', '-', ...timeOut(limits)], { ...limits, input: JSON.stringify(what.values) });
  }
  async rollback(of: ReleaseRef, revision: number, limits: Parameters<Releases['rollback']>[2]): Promise<void> {
    const argv = ['rollback', of.release, String(revision), '--namespace', of.namespace, '--history-max', String(keptRevisions), '--cleanup-on-fail'];
    await this.run([...argv, ...timeOut(limits)], limits);
  }
  async uninstall(of: ReleaseRef, limits: Parameters<Releases['uninstall']>[1], { keep = [] }: { keep?: readonly string[] } = {}): Promise<void> {
    if (keep.length > 0) await keepInRecord((await this.api()).connection, of, keep);
    const hooks = refsIn((await this.ask(['get', 'hooks', of.release, '--namespace', of.namespace])) ?? '');
    await this.run(['uninstall', of.release, '--namespace', of.namespace, '--ignore-not-found', '--wait', ...timeOut(limits)], limits);
    // what hooks made is not of the release as Helm sees it: an install that was ended in one would leave it for good
    if (hooks.length === 0) return;
    const { objects } = (await this.api()).connection;
    for (const { namespace = of.namespace, name, ...kind } of hooks)
      await orNull(`delete ${kind.kind} ${name}`, () => objects.delete({ ...kind, metadata: { name, namespace } }, undefined, undefined, undefined, undefined, 'Background')); // prettier-ignore
  }
  async objects(of: ReleaseRef): Promise<ObjectRef[]> {
    const record = await (await this.api()).records.newest(of);
    return record?.objects ?? [];
  }
  async written(of: ReleaseRef, revision: number): Promise<{ at: number; version: string } | null> {
    const name = `sh.helm.release.v1.${of.release}.v${revision}`;
    const { core } = (await this.api()).connection;
    const secret = await orNull(`read Helm's record ${name}`, () => core.readNamespacedSecret({ name, namespace: of.namespace }));
    if (!secret) return null;
    const seconds = Number(secret.metadata?.labels?.['modifiedAt'] ?? secret.metadata?.labels?.['createdAt'] ?? 0);
    const made = secret.metadata?.creationTimestamp?.getTime() ?? 0;
    return { at: Math.max(made, seconds * 1000), version: secret.metadata?.resourceVersion ?? '' };
  }

  /** Kept while the kubeconfig stays the same: connections are reused. */
  private async api(): Promise<{ connection: Connection; records: HelmRecords }> {
    const kubeconfig = await this.options.kubeconfig();
    if (this.kept?.kubeconfig === kubeconfig) return this.kept;
    const connection = new Connection(kubeconfig);
    this.kept = { kubeconfig, connection, records: new HelmRecords(connection) };
    return this.kept;
  }
  /** A question; null where there is no such release. */
  private async ask(argv: readonly string[]): Promise<string | null> {
    const ran = await this.call(argv, { timeoutMs: askMs });
    if (ran.code === 0) return ran.stdout;
    if (notThere.test(ran.stderr)) return null;
    throw failed(argv, ran.stderr);
  }
  private async run(argv: readonly string[], { timeoutMs, signal, input }: { timeoutMs: number; signal: AbortSignal; input?: string }): Promise<void> {
    const ran = await this.call(argv, { timeoutMs: timeoutMs + graceMs, signal, ...(input === undefined ? {} : { input }) });
    if (ran.code !== 0) throw failed(argv, ran.stderr);
  }
  private async call(argv: readonly string[], how: { timeoutMs: number; signal?: AbortSignal; input?: string }): Promise<{ code: number; stdout: string; stderr: string }> {
    const [config, binary] = [await this.options.kubeconfig(), await this.options.binary()];
    await mkdir(this.options.scratch, { recursive: true, mode: 0o700 });
    await chmod(this.options.scratch, 0o700);
    const home = await mkdtemp(join(this.options.scratch, 'run-'));
    try {
      const kubeconfig = join(home, 'kubeconfig');
      await writeFile(kubeconfig, config, { mode: 0o600 });
      const ran = await execa(binary, [...argv], {
        env: { KUBECONFIG: kubeconfig, HOME: home, PATH: '/usr/bin:/bin' }, extendEnv: false, cwd: home, input: how.input ?? '', reject: false,
        timeout: how.timeoutMs, maxBuffer: longestOutput, forceKillAfterDelay: graceMs, ...(how.signal ? { cancelSignal: how.signal } : {}),
      }); // prettier-ignore
      how.signal?.throwIfAborted();
      const late = ran.timedOut ? `Helm did not end within ${Math.round(how.timeoutMs / 1000)} s` : '';
      return { code: ran.exitCode ?? -1, stdout: ran.stdout, stderr: [ran.stderr, late].filter((t) => t !== '').join('\n') };
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  } // prettier-ignore
}
const timeOut = ({ timeoutMs }: { timeoutMs: number }): string[] => ['--timeout', `${Math.ceil(timeoutMs / 1000)}s`];

const unreachable =
  /connection refused|i\/o timeout|TLS handshake timeout|no route to host|connection reset|the server is currently unable|etcdserver:|unexpected EOF/i;
function failed(argv: readonly string[], stderr: string): TaskError {
  const lines = stderr.split('\n').filter((line) => !noise.test(line));
  const words = lines.join(' ').replace(/^Error: /, '').slice(0, 1500); // prettier-ignore
  const what = `helm ${argv.slice(0, 2).join(' ')}: ${words === '' ? 'it failed without a word' : words}`;
  if (unreachable.test(words))
    return new TaskError('cluster-unreachable', what, { remedy: 'see that the control plane is up and that this host reaches its port 6443, then retry the step', retry: true });
  return new TaskError('helm-failed', what, { remedy: 'mend what Helm names: a value that the chart refuses, an object that the API refuses; then apply again' });
} // prettier-ignore
