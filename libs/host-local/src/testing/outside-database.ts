import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const nobody = { uid: 65534, gid: 65534 };

/** A database that is none of the cluster's: a program of its own on one address, with TLS under an authority of its own. */
export abstract class OutsideDatabase {
  protected child: ChildProcess | null = null;
  readonly dir: string;
  readonly caPem: string;

  protected constructor(
    readonly address: string,
    readonly port: number,
  ) {
    this.dir = mkdtempSync('/tmp/strata-outside-');
    chmodSync(this.dir, 0o711);
    const [key, cert] = ['key', 'cert'].map((name) => join(this.dir, `${name}.pem`)) as [string, string];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=outside', '-addext', `subjectAltName=IP:${address}`], { stdio: 'ignore' }); // prettier-ignore
    this.caPem = readFileSync(cert, 'utf8');
    mkdirSync(this.data, { mode: 0o700 });
    for (const path of [key, cert, this.data]) chownSync(path, nobody.uid, nobody.gid);
  }
  protected get data(): string {
    return join(this.dir, 'data');
  }
  protected abstract get command(): [string, ...string[]];
  protected abstract answers(): Promise<boolean>;

  /** Starts it (again) and waits until it answers. */
  async start(): Promise<void> {
    const [program, ...args] = this.command;
    this.child = spawn(program, args, { ...nobody, cwd: this.data, env: { PATH: '/usr/bin:/bin', LANG: 'C' }, stdio: 'ignore' });
    for (let tries = 0; tries < 300; tries += 1) {
      if (await this.answers().catch(() => false)) return;
      await sleep(100);
    }
    throw new Error(`${program} does not answer after 30 s`);
  }
  /** Ends it, its clients with it, and waits. */
  async stop(): Promise<void> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGINT');
    await gone;
  }
  /** Its data as they are, while it is stopped; and back. */
  copy(name: string): void {
    cpSync(this.data, join(this.dir, name), { recursive: true, preserveTimestamps: true });
  }
  putBack(name: string): void {
    rmSync(this.data, { recursive: true });
    cpSync(join(this.dir, name), this.data, { recursive: true });
    execFileSync('chown', ['-R', `${nobody.uid}:${nobody.gid}`, this.data]);
    chmodSync(this.data, 0o700);
  }
  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A port that nobody has on this address. */
export async function freePort(address: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
/** A copy of a program's folder that another account may enter. */
export function programFolder(of: string, to: string): string {
  const root = dirname(dirname(createRequire(__filename).resolve(of)));
  cpSync(join(root, 'native'), to, { recursive: true, verbatimSymlinks: true });
  return to;
}
export const asNobody = (argv: readonly [string, ...string[]]): string =>
  execFileSync(argv[0], argv.slice(1), { ...nobody, env: { PATH: '/usr/bin:/bin', LANG: 'C' }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
/** A file that its program reads. */
export function setting(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
  chownSync(path, nobody.uid, nobody.gid);
}
