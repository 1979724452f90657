import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { SshMachine } from './machine';
import { sshServer, type TestServer } from './testing/ssh-server';
import { dropUpload, type PackedFile, uploadPacked } from './upload';

const content = randomBytes(3 << 20);
const sha256 = createHash('sha256').update(content).digest('hex');
const partName = `.strata-${sha256.slice(0, 16)}.part`;
let server: TestServer;
let machine: SshMachine;
let dir: string;
let file: PackedFile;

const open = (): Promise<SshMachine> =>
  SshMachine.open({
    ...{ host: '127.0.0.1', port: server.port, user: 'ops', password: 'right', signal: new AbortController().signal, timeoutMs: 3000 },
    hostKey: { knownHosts: [], acceptNew: true },
  });
beforeEach(async () => {
  server = await sshServer();
  machine = await open();
  dir = mkdtempSync(join(tmpdir(), 'strata-upload-'));
  file = { packed: join(dir, 'packed.gz'), size: content.length, sha256, mode: 0o755 };
  writeFileSync(file.packed, gzipSync(content, { level: 1 }));
});
afterEach(async () => {
  machine.close();
  await server.close();
});
const there = (): string[] => (existsSync(join(dir, 'bin')) ? readdirSync(join(dir, 'bin')).sort() : []);
/** Waits until it is so, at most 5 s. */
async function seen(look: () => boolean): Promise<void> {
  for (const end = Date.now() + 5_000; !look(); await new Promise((resolve) => setTimeout(resolve, 10)))
    if (Date.now() > end) throw new Error(`waited 5 s in vain for ${String(look)}`);
}

test('writes the file with its mode, tells how much of how much, and leaves nothing else', async () => {
  const path = join(dir, 'bin/stratad');
  const told: number[] = [];
  await uploadPacked(machine, path, { ...file, progress: (bytes) => told.push(bytes) });
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o755);
  expect([told[0], told.at(-1)]).toEqual([0, statSync(file.packed).size]);
  expect(there()).toEqual(['stratad']);
});
test('goes on, over another connection, from what the one that was lost had brought', async () => {
  const path = join(dir, 'bin/stratad');
  const large = { ...file, packed: join(dir, 'large.gz') };
  writeFileSync(large.packed, gzipSync(randomBytes(48 << 20), { level: 0 }));
  const lost = uploadPacked(machine, path, large);
  lost.catch(() => undefined);
  await seen(() => there().includes(partName));
  machine.close();
  await expect(lost).rejects.toMatchObject({ name: 'SshError' });
  await seen(() => there().includes(partName) && !there().includes('stratad.part'));
  writeFileSync(join(dir, 'bin', partName), readFileSync(file.packed));
  truncateSync(join(dir, 'bin', partName), 1_000_000); // whatever of it came
  machine = await open();
  const told: number[] = [];
  await uploadPacked(machine, path, { ...file, progress: (bytes) => told.push(bytes) });
  expect(told[0]).toBe(Math.floor(1_000_000 / 65_536) * 65_536);
  expect(readFileSync(path).equals(content)).toBe(true);
  expect(there()).toEqual(['stratad']);
});
test('what cannot be unpacked is thrown away, and said', async () => {
  const path = join(dir, 'bin/stratad');
  await uploadPacked(machine, path, file).catch(() => undefined);
  writeFileSync(file.packed, 'not packed at all');
  await expect(uploadPacked(machine, path, file)).rejects.toMatchObject({ code: 'upload-failed', message: expect.stringContaining('gzip') as string });
  expect(there()).toEqual(['stratad']); // the one of before
});
test('one that is cancelled leaves nothing behind; nor does one that was given up for good', async () => {
  const path = join(dir, 'bin/stratad');
  const stop = new AbortController();
  const given = uploadPacked(machine, path, { ...file, signal: stop.signal, progress: () => stop.abort('cancelled') });
  await expect(given).rejects.toThrow('was stopped');
  await seen(() => there().length === 0);
  writeFileSync(join(dir, 'bin', partName), 'x');
  await dropUpload(machine, path, sha256);
  expect(there()).toEqual([]);
});
