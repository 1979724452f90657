import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ApiError, type ApiClient } from '@strata/api-client';
import { CliError } from '../cli-error';
import { type ClusterView, exitCodes, proxyVariables } from '@strata/model';
import { cacheHome } from '../context/paths';
import type { Cli } from '../commands/cli';
import { readKubeconfig } from './kubeconfig';

interface At {
  cli: Cli;
  client: ApiClient;
  cluster: string;
}

/** Runs kubectl with the cluster's kubeconfig, in a file that only we can read and that is gone afterwards. Returns its exit code. */
export async function runKubectl({ cli, client, cluster }: At, args: readonly string[]): Promise<number> {
  const found = await client.cluster(cluster);
  const [program, kubeconfig] = await Promise.all([
    kubectlProgram(client, { version: await installedVersion(client, found), env: cli.env }),
    client.kubeconfig(found.id),
  ]);
  const dir = await mkdtemp(join(cli.env.XDG_RUNTIME_DIR ?? tmpdir(), 'strata-kubectl-')); // 0700
  try {
    const file = join(dir, 'config');
    await writeFile(file, readKubeconfig(kubeconfig, found.name).text, { mode: 0o600 });
    const env = Object.fromEntries(Object.entries(cli.env).filter(([name]) => !proxyVariables.includes(name))); // the way to a cluster is no way to the outside
    return await run(program, args, { ...env, KUBECONFIG: file });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The version of Kubernetes that the spec names, or else the one that the last run that planned anything installed. */
async function installedVersion(client: ApiClient, cluster: ClusterView): Promise<string | undefined> {
  const { version } = cluster.spec.spec.distribution;
  if (version !== undefined) return version;
  const { runs } = await client.runs({ cluster: cluster.id, limit: 50 });
  for (const run of runs.filter((r) => r.intent.kind === 'install' && !r.intent.dryRun && (r.result === 'done' || r.result === 'degraded')))
    for await (const event of client.follow(run.id)) if (event.kind === 'RunPlanned') return event.body.plan.distribution.version;
  return undefined;
}

/** Its signals are its own: Ctrl-C reaches it as it reaches us, and we clean up when it is gone. */
function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env });
    const wait = (): void => undefined;
    const pass = (): void => void child.kill('SIGTERM');
    process.on('SIGINT', wait).on('SIGTERM', pass);
    const done = (end: () => void): void => {
      process.off('SIGINT', wait).off('SIGTERM', pass);
      end();
    };
    child.once('error', (cause) =>
      done(() =>
        reject(
          new CliError(`${program} could not be started: ${cause.message}`, {
            exitCode: exitCodes.failed,
            remedy: `remove ${program}, so that it is fetched again`,
            cause,
          }),
        ),
      ),
    );
    child.once('close', (code, signal) => done(() => resolve(code ?? (signal === 'SIGINT' ? 130 : 143))));
  });
}

/** The server's kubectl in our cache, fetched and verified by its sha256 the first time; the one on the PATH when the server has none. */
async function kubectlProgram(client: ApiClient, at: { version: string | undefined; env: Cli['env'] }): Promise<string> {
  if (at.version === undefined) return 'kubectl';
  try {
    const artifact = await client.artifact('kubectl', at.version);
    if (artifact.kind !== 'file') return 'kubectl';
    const { sha256 } = artifact.blob;
    const path = join(cacheHome(at.env), 'strata', `kubectl-${at.version}-${sha256.slice(0, 12)}`);
    if ((await stat(path).catch(() => null)) !== null && (await sha256Of(path)) === sha256) return path;
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
    const part = `${path}.${randomBytes(4).toString('hex')}`;
    try {
      await pipeline(Readable.from(client.artifactContent('kubectl', at.version)), createWriteStream(part, { mode: 0o600 }));
      const got = await sha256Of(part);
      if (got !== sha256)
        throw new CliError(`the kubectl that the server sent has sha256 ${got}, and should have ${sha256}`, {
          exitCode: exitCodes.failed,
          remedy: 'try again; if it stays so, look at the artifact store of the server',
        });
      await chmod(part, 0o755);
      await rename(part, path);
    } finally {
      await rm(part, { force: true });
    }
    return path;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return 'kubectl';
    throw error;
  }
}
async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
