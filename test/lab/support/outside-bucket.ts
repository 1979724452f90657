import type { ChildProcess } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArtifactStore, findEntry, loadCatalog, obtainArtifact } from '@strata/artifacts';
import { Authority } from '@strata/pki';
import { ended, must, root as repository, runProgram, startProgram, until } from './program';
import { freePorts } from './server';

const root = 'rootrootrootroot';
const longMs = 20 * 60_000;
/** A program of the catalog, by way of the machine's own store of artifacts: what no test of this machine has needed before is made now. */
async function program(name: string, to: string): Promise<void> {
  const store = ArtifactStore.ofMachine(process.env);
  const catalogDir = join(repository, 'catalog');
  const entry = findEntry(await loadCatalog(catalogDir, store), name);
  const made = await obtainArtifact(entry, { store, catalogDir, allowUnofficial: true, signal: AbortSignal.timeout(longMs), progress: () => undefined });
  if (made.kind !== 'file') throw new Error(`${name} is no single file`);
  const path = join(to, name);
  copyFileSync(store.blobPath(made.blob.sha256), path);
  chmodSync(path, 0o755);
}

/** An object store that is none of the cluster's: MinIO on the lab's bridge address, with TLS under an authority of its own. */
export class OutsideBucket {
  private process: ChildProcess | null = null;
  private ownDisk = false;
  private constructor(
    readonly dir: string,
    readonly endpoint: string,
    readonly caPem: string,
  ) {}

  /** @param diskMiB its data on a file system of their own, of this size */
  static async up(address: string, { diskMiB }: { diskMiB?: number } = {}): Promise<OutsideBucket> {
    const dir = mkdtempSync('/var/lib/strata-test-bucket-');
    const [port = 0] = await freePorts(1);
    const authority = await Authority.create('somebody else');
    const { certPem, keyPem, caPem } = await authority.issueService('s3.example', { dns: ['s3.example'], ip: [address, '127.0.0.1'] });
    for (const folder of ['certs', 'data', 'mc']) mkdirSync(join(dir, folder));
    writeFileSync(join(dir, 'certs/public.crt'), certPem);
    writeFileSync(join(dir, 'certs/private.key'), keyPem, { mode: 0o600 });
    writeFileSync(join(dir, 'ca.pem'), caPem);
    const bucket = new OutsideBucket(dir, `https://${address}:${port}`, caPem);
    try {
      if (diskMiB !== undefined) await bucket.small(diskMiB);
      await bucket.start();
      return bucket;
    } catch (error) {
      await bucket.dispose();
      throw error;
    }
  }
  private async small(mib: number): Promise<void> {
    const disk = join(this.dir, 'disk');
    await must(['truncate', '-s', `${mib}M`, disk], { timeoutMs: 10_000 });
    await must(['mkfs.ext4', '-q', disk], { timeoutMs: 60_000 });
    await must(['mount', '-o', 'loop', disk, join(this.dir, 'data')], { timeoutMs: 30_000 });
    this.ownDisk = true;
  }
  private async start(): Promise<void> {
    for (const name of ['minio', 'minio-client']) await program(name, this.dir);
    const argv = [
      join(this.dir, 'minio'),
      'server',
      '--quiet',
      '--certs-dir',
      join(this.dir, 'certs'),
      '--address',
      this.endpoint.slice('https://'.length),
      join(this.dir, 'data'),
    ];
    this.process = startProgram(argv, { env: { MINIO_ROOT_USER: 'root', MINIO_ROOT_PASSWORD: root, MINIO_BROWSER: 'off', HOME: this.dir } });
    this.process.stdout?.resume();
    this.process.stderr?.resume();
    await until('the store outside to answer', 60_000, async () => this.mc(['ls', 'o']).then(() => true, () => null)); // prettier-ignore
  }
  /** Its client as its administrator; `o` is the store. Gives what it says. */
  async mc(args: readonly string[], input?: string): Promise<string> {
    const env = { MC_HOST_o: this.endpoint.replace('https://', `https://root:${root}@`), SSL_CERT_FILE: join(this.dir, 'ca.pem'), HOME: this.dir };
    return (await must([join(this.dir, 'minio-client'), '--config-dir', join(this.dir, 'mc'), ...args], { timeoutMs: 30_000, env, input })).stdout;
  }
  async user(name: string, secret: string, policy: string): Promise<void> {
    await this.mc(['admin', 'user', 'add', 'o', name, secret]);
    await this.mc(['admin', 'policy', 'attach', 'o', policy, '--user', name]);
  }
  /** A policy for any bucket. */
  async policy(name: string, actions: readonly string[]): Promise<void> {
    const file = join(this.dir, `${name}.json`);
    writeFileSync(file, JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: actions, Resource: ['arn:aws:s3:::*'] }] }));
    await this.mc(['admin', 'policy', 'create', 'o', name, file]);
  }
  /** Its own disk is full from now on. */
  async fill(): Promise<void> {
    const { stderr } = await runProgram(['dd', 'if=/dev/zero', `of=${join(this.dir, 'data/filler')}`, 'bs=4k', 'conv=fsync', 'status=none'], {
      timeoutMs: 60_000,
    });
    if (!/No space left/.test(stderr)) throw new Error(`the disk of the store could not be filled: ${stderr}`);
  }
  async put(path: string, text: string): Promise<void> {
    await this.mc(['pipe', `o/${path}`], text);
  }
  async list(bucket: string): Promise<string[]> {
    const lines = (await this.mc(['ls', '--recursive', '--json', `o/${bucket}`])).split('\n').filter(Boolean);
    return lines.map((line) => (JSON.parse(line) as { key: string }).key).sort();
  }
  async dispose(): Promise<void> {
    if (this.process?.pid !== undefined) {
      const over = ended(this.process);
      process.kill(this.process.pid, 'SIGTERM');
      await over;
    }
    if (this.ownDisk) await must(['umount', join(this.dir, 'data')], { timeoutMs: 60_000 });
    rmSync(this.dir, { recursive: true, force: true });
  }
}
