import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArchiveArtifact, FileArtifact } from '@strata/model';
import { create } from 'tar';
import { parseImages, parseIncomplete } from './images';
import { localHost } from './local-host';
import { lineSplitter, runProgram } from './programs';
import { unitState } from './units';

const folder = mkdtempSync(join(tmpdir(), 'strata-local-'));
const stateDir = join(folder, 'state');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Puts content into the node's artifact store, as a fetch would. */
function stored(content: Buffer): { sha256: string; size: number } {
  const sha256 = createHash('sha256').update(content).digest('hex');
  mkdirSync(join(stateDir, 'artifacts/blobs'), { recursive: true });
  writeFileSync(join(stateDir, 'artifacts/blobs', sha256), content);
  return { sha256, size: content.length };
}
async function archive(gzip: boolean): Promise<ArchiveArtifact> {
  const from = join(folder, 'tree');
  mkdirSync(join(from, 'bin'), { recursive: true });
  for (const name of ['one', 'two']) writeFileSync(join(from, 'bin', name), `${name} `.repeat(100_000));
  const file = join(folder, 'archive.tar');
  await create({ file, cwd: from, gzip, portable: true }, ['./bin']);
  return { kind: 'archive', name: 'things', version: '1.0.0', blob: stored(readFileSync(file)) };
}

describe('artifacts of the node', () => {
  const { files } = localHost({ stateDir });

  it.each([true, false])('unpacks the wanted members (gzip: %s)', async (gzip) => {
    await files.unpack(await archive(gzip), { 'bin/one': join(folder, 'out/one'), 'bin/two': join(folder, 'out/deep/two') }, { mode: 0o755 });
    expect(readFileSync(join(folder, 'out/one'), 'utf8')).toHaveLength(400_000);
    expect(statSync(join(folder, 'out/deep/two')).mode & 0o777).toBe(0o755);
  });
  it('names a member that an archive lacks', async () => {
    await expect(files.unpack(await archive(false), { 'bin/three': join(folder, 'out/three') })).rejects.toMatchObject({ code: 'member-missing' });
  });
  it('installs a file with its mode, and never one whose bytes are not its digest', async () => {
    const artifact: FileArtifact = { kind: 'file', name: 'runc', version: '1.4.3', blob: stored(Buffer.from('a program')) };
    await files.install(artifact, join(folder, 'bin/runc'));
    expect(readFileSync(join(folder, 'bin/runc'), 'utf8')).toBe('a program');
    expect(statSync(join(folder, 'bin/runc')).mode & 0o777).toBe(0o755);
    writeFileSync(join(stateDir, 'artifacts/blobs', artifact.blob.sha256), 'b program');
    await expect(files.install(artifact, join(folder, 'bin/runc'))).rejects.toMatchObject({
      code: 'artifact-missing',
      message: expect.stringContaining('damaged') as string,
    });
    expect(readFileSync(join(folder, 'bin/runc'), 'utf8')).toBe('a program');
    await expect(files.install(artifact, join(folder, 'bin/runc'))).rejects.toMatchObject({
      code: 'artifact-missing',
      message: expect.stringContaining('not in') as string,
    });
  });
  it('keeps pre-images where only root reads them', async () => {
    const path = join(folder, 'secret');
    writeFileSync(path, 'password', { mode: 0o600 });
    const image = await files.image(path);
    expect(statSync(join(stateDir, 'preimages', image.sha256 ?? '')).mode & 0o777).toBe(0o600);
    expect(statSync(join(stateDir, 'preimages')).mode & 0o777).toBe(0o700);
  });
  it('reads a large file again as soon as anything about it changed', async () => {
    const path = join(folder, 'large');
    const digestOf = (b: Buffer): string => createHash('sha256').update(b).digest('hex');
    const [one, two] = [Buffer.alloc(2 << 20, 1), Buffer.alloc(2 << 20, 2)];
    writeFileSync(path, one);
    expect(await files.sha256(path)).toBe(digestOf(one));
    utimesSync(path, 1000, 1000);
    await new Promise((done) => setTimeout(done, 150)); // from then on its digest is remembered
    expect(await files.sha256(path)).toBe(digestOf(one));
    writeFileSync(path, two);
    utimesSync(path, 1000, 1000); // the same inode, size and time of change: only the kernel's own time differs
    expect(await files.sha256(path)).toBe(digestOf(two));
    expect(await files.sha256(join(folder, 'absent'))).toBeNull();
  });
  it('says what to do when nobody told it where artifacts are', async () => {
    const nothing: FileArtifact = { kind: 'file', name: 'nothing', version: '1.0.0', blob: { sha256: 'e'.repeat(64), size: 5 } };
    await expect(localHost({ stateDir }).artifacts.fetch([nothing], {})).rejects.toMatchObject({ code: 'no-artifact-server' });
  });
});

const asRoot = process.getuid?.() === 0 ? describe : describe.skip;
asRoot('files on other file systems', () => {
  const { files } = localHost({ stateDir });
  const mounted = join(folder, 'mounted');
  afterEach(() => runProgram(['umount', '-l', mounted]));

  it('fills a file anew that is mounted there', async () => {
    writeFileSync(join(folder, 'host-file'), 'of the host');
    writeFileSync(mounted, '');
    await runProgram(['mount', '--bind', join(folder, 'host-file'), mounted]);
    const image = await files.image(mounted);
    await files.write(mounted, 'ours', { mode: 0o640 });
    expect(readFileSync(join(folder, 'host-file'), 'utf8')).toBe('ours');
    await files.restore(image);
    expect(readFileSync(join(folder, 'host-file'), 'utf8')).toBe('of the host');
    rmSync(join(folder, 'host-file'));
  });
  it('says that the disk is full, and leaves what was there', async () => {
    rmSync(mounted, { force: true });
    mkdirSync(mounted);
    await runProgram(['mount', '-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', mounted]);
    await files.write(join(mounted, 'conf'), 'old');
    await expect(files.write(join(mounted, 'conf'), 'x'.repeat(100_000))).rejects.toMatchObject({ code: 'disk-full', retry: true });
    expect(readFileSync(join(mounted, 'conf'), 'utf8')).toBe('old');
    expect(await files.list(mounted)).toEqual(['conf']);
    await expect(files.remove(folder, { recursive: true })).rejects.toMatchObject({ code: 'mounted' });
  });
});

describe('programs', () => {
  it('ends a program and its children when its time is over', async () => {
    const started = Date.now();
    await expect(runProgram(['sh', '-c', 'echo begun; sleep 60 & sleep 60'], { timeoutMs: 300 })).rejects.toMatchObject({
      code: 'timeout',
      retry: true,
      detail: ['begun'],
    });
    expect(Date.now() - started).toBeLessThan(10_000);
  });
  it('ends a program when its order is stopped', async () => {
    const stop = new AbortController();
    const run = runProgram(['sleep', '60'], { signal: stop.signal, onLine: () => undefined });
    stop.abort();
    await expect(run).rejects.toMatchObject({ code: 'stopped' });
  });
  it('says 128 + n for a signal, and gives nothing of our environment to a program', async () => {
    process.env.STRATA_CANARY = 'secret';
    expect((await runProgram(['sh', '-c', 'kill -9 $$'])).code).toBe(137);
    expect((await runProgram(['env'])).stdout).not.toContain('STRATA_CANARY');
    expect((await runProgram(['env'], { env: { GIVEN: 'yes' } })).stdout).toContain('GIVEN=yes');
  });
  it('does not split a letter between two chunks', () => {
    const lines: string[] = [];
    const split = lineSplitter((l) => lines.push(l));
    const bytes = Buffer.from('größe\r\nzwei\n');
    for (const byte of bytes) split.push(Buffer.from([byte]));
    split.end();
    expect(lines.filter(Boolean)).toEqual(['größe', 'zwei']);
  });
});

it('reads what systemctl shows', () => {
  expect(unitState('LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=7\n')).toEqual({
    load: 'loaded',
    active: 'active',
    enabled: 'enabled',
    mainPid: 7,
  });
  expect(unitState('LoadState=not-found\nActiveState=inactive\nUnitFileState=\nMainPID=0\n')).toEqual({
    load: 'not-found',
    active: 'inactive',
    enabled: 'unknown',
    mainPid: null,
  });
});

it('reads what ctr lists', () => {
  const digest = `sha256:${'a'.repeat(64)}`;
  const table = `REF TYPE DIGEST SIZE PLATFORMS LABELS
registry.k8s.io/pause:3.10.2    application/vnd.oci.image.manifest.v1+json ${digest} 1.4 MiB linux/amd64 io.cri-containerd.image=managed,io.cri-containerd.pinned=pinned
strata.local/web:1              application/vnd.oci.image.manifest.v1+json ${digest} 5.2 MiB linux/amd64 io.cri-containerd.image=managed
`;
  expect(parseImages(table)).toEqual([
    { ref: 'registry.k8s.io/pause:3.10.2', digest, pinned: true },
    { ref: 'strata.local/web:1', digest, pinned: false },
  ]);
});
it('reads which images are not whole', () => {
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const row = (ref: string, ...rest: string[]): string => `${ref} ${type} sha256:${'a'.repeat(64)} ${rest.join(' ')}`;
  const table = ['REF     TYPE   DIGEST   STATUS   SIZE   UNPACKED ', row('a:1', 'complete (2/2)', '71.7 MiB/71.7 MiB', 'true'), row('b:1', 'incomplete (1/2)', '1.0 MiB/71.7 MiB', 'false'), row('c:1', 'complete (2/2)', '1.4 MiB/1.4 MiB  ', 'false'), row('d:1', 'unavailable (0/?)', '0.0 B/?', 'false')].join('\n'); // prettier-ignore
  expect(parseIncomplete(`${table}\n`)).toEqual(['b:1', 'c:1', 'd:1']);
});
