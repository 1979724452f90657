import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { Api } from './api';
import { newMark } from './mark';
import { lastWords, must, node, type Ran, runProgram, strataProgram, until } from './program';

export type Part = 'postgres' | 'redis' | 'server';
interface Status {
  supervisor: { pid: number; state: string };
  parts: Record<Part, { state: string; pid: number | null; restarts: number }>;
}
export interface ServerOptions {
  /** Settings beside the ports, as in server.yaml. */
  settings?: Record<string, string | number>;
  /** Under which the directory of everything is made; others may pass through it. */
  under?: string;
  /** More of the environment that it and its CLI run in. */
  env?: Readonly<Record<string, string>>;
}

/** A control server of its own: home, ports and the user's home that the CLI keeps its contexts in. Everything is in `dir`. */
export class TestServer {
  private more: Readonly<Record<string, string>> = {};
  private constructor(
    readonly dir: string,
    readonly home: string,
    readonly ports: Readonly<Record<'api' | 'agent' | 'artifact' | 'enroll', number>>,
  ) {}

  /** Makes the directories and settings, starts the server through the CLI, and waits until it takes work. */
  static async start(options: ServerOptions = {}): Promise<TestServer> {
    const server = await TestServer.make(options);
    try {
      await server.up();
      return server;
    } catch (error) {
      await server.dispose();
      throw error;
    }
  }
  /** The same without starting it. */
  static async make({ settings = {}, under = '/var/lib', env = {} }: ServerOptions = {}): Promise<TestServer> {
    const dir = join(under, `strata-test-${newMark()}`);
    const home = join(dir, 'home');
    const [api = 0, agent = 0, artifact = 0, enroll = 0] = await freePorts(4);
    for (const folder of [dir, home]) {
      mkdirSync(folder, { mode: 0o711 }); // Postgres and Redis run as somebody else
      chmodSync(folder, 0o711);
    }
    mkdirSync(join(dir, 'user'), { mode: 0o700 });
    const all = { apiPort: api, agentPort: agent, artifactPort: artifact, enrollPort: enroll, ...settings };
    const yaml = Object.entries(all).map(([k, v]) => `${k}: ${v}\n`).join(''); // prettier-ignore
    writeFileSync(join(home, 'server.yaml'), yaml, { mode: 0o600 });
    const server = new TestServer(dir, home, { api, agent, artifact, enroll });
    server.more = env;
    return server;
  }

  get url(): string {
    return `https://127.0.0.1:${this.ports.api}`;
  }
  get token(): string {
    return readFileSync(join(this.home, 'secrets/admin.token'), 'utf8').trim();
  }
  get api(): Api {
    return new Api({ url: this.url, ca: readFileSync(join(this.home, 'secrets/ca.pem'), 'utf8'), token: this.token });
  }
  /** Nothing of the real user's: neither contexts nor ssh configuration. `user` names another terminal's user. */
  env(user = 'user'): Record<string, string> {
    const own = join(this.dir, user);
    return {
      HOME: own,
      XDG_CONFIG_HOME: join(own, '.config'),
      XDG_CACHE_HOME: join(own, '.cache'),
      XDG_STATE_HOME: join(own, '.local/state'),
      STRATA_HOME: this.home,
      STRATA_CONFIG: '',
      STRATA_SERVER: '',
      SSH_AUTH_SOCK: '',
      KUBECONFIG: '',
      FORCE_COLOR: '0',
      ...this.more,
    };
  }

  /** `./strata` for this server. */
  strata(args: readonly string[], { timeoutMs = 60_000, input, env, user }: { timeoutMs?: number; input?: string; env?: Record<string, string>; user?: string } = {}): Promise<Ran> {
    return runProgram([node, strataProgram, ...args], { timeoutMs, input, env: { ...this.env(user), ...env } });
  } // prettier-ignore
  /** As `strata`, but anything other than exit status 0 throws. Gives the standard output. */
  async must(args: readonly string[], options: Parameters<TestServer['strata']>[1] = {}): Promise<string> {
    const ran = await this.strata(args, options);
    if (ran.code !== 0) throw new Error(`strata ${args.join(' ')} ended with exit status ${ran.code}\n${lastWords(ran)}`);
    return ran.stdout;
  }
  /** kubectl through the CLI; gives its standard output. */
  kubectl(cluster: string, args: readonly string[], timeoutMs = 120_000): Promise<string> {
    return this.must(['kubectl', '--cluster', cluster, '--', ...args], { timeoutMs });
  }

  async up(): Promise<void> {
    await must([node, strataProgram, 'up', '--home', this.home, '--timeout', '170s'], { timeoutMs: 180_000, env: this.env() });
  }
  /** Stops it in order; its state stays. */
  async down(): Promise<void> {
    await must([node, strataProgram, 'down', '--home', this.home], { timeoutMs: 120_000, env: this.env() });
  }
  /** Stops it, copies all its state to another directory, takes the old one away, and starts it there: same ports, nothing else known. */
  async moved(): Promise<TestServer> {
    await this.down();
    const dir = join(dirname(this.dir), `strata-test-${newMark()}`);
    await must(['cp', '-a', this.dir, dir], { timeoutMs: 120_000 });
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    const there = new TestServer(dir, join(dir, 'home'), this.ports);
    there.more = this.more;
    try {
      await there.up();
      return there;
    } catch (error) {
      await there.dispose();
      throw error;
    }
  }
  /** What the supervisor says of its parts; null before it has said anything. */
  status(): Status | null {
    const file = join(this.home, 'run/status.json');
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Status) : null;
  }
  /** `kill -9` of one part. Gives the pid that was killed. */
  kill(part: Part | 'supervisor'): number {
    const status = this.status();
    const pid = part === 'supervisor' ? status?.supervisor.pid : status?.parts[part].pid;
    if (pid === undefined || pid === null) throw new Error(`${part} has no process: ${JSON.stringify(status)}`);
    process.kill(pid, 'SIGKILL');
    return pid;
  }
  /** Waits until a part runs as another process than `pid`. Gives the milliseconds it took. */
  async backAs(part: Part, pid: number, timeoutMs = 60_000): Promise<number> {
    const began = performance.now();
    await until(`${part} to run again after process ${pid}`, timeoutMs, () => {
      const now = this.status()?.parts[part];
      return now?.state === 'running' && now.pid !== null && now.pid !== pid;
    });
    return performance.now() - began;
  }

  /** Stops everything, by force if it must be, and removes all of it. */
  async dispose(): Promise<void> {
    const status = this.status();
    const stopped = await this.strata(['down', '--home', this.home], { timeoutMs: 90_000 });
    if (stopped.code !== 0 && status !== null)
      for (const pid of [status.supervisor.pid, ...Object.values(status.parts).map((p) => p.pid)]) if (pid !== null && this.owns(pid)) process.kill(pid, 'SIGKILL');
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  } // prettier-ignore
  /** Whether a pid is still a process of this server: numbers are used again. */
  private owns(pid: number): boolean {
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, 'utf8'), readFileSync(`/proc/${pid}/environ`, 'utf8')].some((text) => text.includes(this.dir));
    } catch {
      return false;
    }
  }
}

/** Ports that nobody listens on; all are held until all are found, so none is given twice. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const server = createServer();
      return new Promise<typeof server>((resolve, reject) => server.once('error', reject).listen(0, '0.0.0.0', () => resolve(server)));
    }),
  );
  const ports = servers.map((s) => (s.address() as AddressInfo).port);
  await Promise.all(servers.map((s) => new Promise((resolve) => s.close(resolve))));
  return ports;
}
