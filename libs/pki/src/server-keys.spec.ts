import { chmod, mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { caPinOf, createPrivateFile, identityOf, issueListeners, loadOrCreateServerKeys, makeCsr, newKeys, readPrivateFile, writePrivateFile } from './index';

let home: string;
let dir: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'strata-pki-'));
  dir = join(home, 'secrets');
});
afterEach(() => rm(home, { recursive: true }));
const mode = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

test('keys are made once, private, and are the same ever after', async () => {
  const first = await loadOrCreateServerKeys(dir);
  const names = (await readdir(dir)).sort();
  expect(names).toEqual(['box.key', 'bundle.key', 'ca.key', 'ca.pem', 'master.key', 'order.key', 'plan-seal.key']);
  expect(await mode(dir)).toBe('700');
  for (const name of names) expect(await mode(join(dir, name))).toBe('600');
  const before = await Promise.all(names.map((name) => readFile(join(dir, name))));
  const again = await loadOrCreateServerKeys(dir);
  expect(await Promise.all(names.map((name) => readFile(join(dir, name))))).toEqual(before);
  expect(again.authority.pin).toBe(first.authority.pin);
  expect(again.master.open(first.master.seal('x', 'c'), 'c').toString()).toBe('x');
  expect(again.orders.keyId).toBe(first.orders.keyId);
});

test('two that start at once end with the same keys', async () => {
  const all = await Promise.all([1, 2, 3, 4].map(() => loadOrCreateServerKeys(dir)));
  expect(
    new Set(
      all.map((keys) => [keys.authority.pin, keys.orders.keyId, keys.master.id, keys.planSeal.toString('hex'), keys.box.publicKey.toString('hex')].join()),
    ).size,
  ).toBe(1);
});

test('a crash between two files is made good; a lost CA key is an error', async () => {
  const { authority } = await loadOrCreateServerKeys(dir);
  const node = await authority.signCsr(await makeCsr(await newKeys()), { clusterId: 'c', nodeId: 'n' });
  await unlink(join(dir, 'ca.pem'));
  await unlink(join(dir, 'box.key'));
  const again = await loadOrCreateServerKeys(dir);
  expect(again.authority.pin).toBe(authority.pin);
  expect(identityOf(node.certPem).nodeId).toBe('n');
  await unlink(join(dir, 'ca.key'));
  await expect(loadOrCreateServerKeys(dir)).rejects.toThrow('lock out every enrolled node');
});

test('a key that others may read is refused', async () => {
  await loadOrCreateServerKeys(dir);
  await chmod(join(dir, 'master.key'), 0o644);
  await expect(loadOrCreateServerKeys(dir)).rejects.toThrow('has mode 644');
});

test('every listener gets its own key under the one CA', async () => {
  const { authority } = await loadOrCreateServerKeys(dir);
  const listeners = await issueListeners(authority, ['10.0.0.5', 'control.example']);
  expect(new Set(Object.values(listeners).map(({ keyPem }) => keyPem)).size).toBe(4);
  expect(caPinOf(authority.certPem)).toBe(authority.pin);
});

test('a private file is whole or absent, and an existing one is kept when only creating', async () => {
  await loadOrCreateServerKeys(dir);
  const path = join(dir, 'token');
  expect((await createPrivateFile(path, 'one')).toString()).toBe('one');
  expect((await createPrivateFile(path, 'two')).toString()).toBe('one');
  await writePrivateFile(path, 'three');
  expect((await readPrivateFile(path))?.toString()).toBe('three');
  await expect(writePrivateFile(join(dir, 'none', 'x'), 'y')).rejects.toThrow('could not write');
  await writeFile(join(home, 'open'), 'x', { mode: 0o644 });
  await expect(readPrivateFile(join(home, 'open'))).rejects.toThrow('others may read it');
  expect((await readdir(dir)).filter((name) => name.endsWith('.part'))).toEqual([]);
});
