import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileArtifact } from '@strata/model';
import { knownBlobs } from './known-blobs';
import { localHost } from './local-host';

const folder = mkdtempSync(join(tmpdir(), 'strata-known-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const content = 'the bytes';
const sha256 = createHash('sha256').update(content).digest('hex');
const artifact: FileArtifact = { kind: 'file', name: 'thing', version: '1.0.0', blob: { sha256, size: content.length } };
let n = 0;
function node(bytes: string): { stateDir: string; path: string } {
  const stateDir = join(folder, String((n += 1)));
  mkdirSync(join(stateDir, 'artifacts/blobs'), { recursive: true });
  const path = join(stateDir, 'artifacts/blobs', sha256);
  writeFileSync(path, bytes);
  return { stateDir, path };
}

test('after a boot a blob counts only once its bytes were looked at', async () => {
  expect(await localHost(node('the BYTES')).artifacts.has(artifact)).toBe(false); // the right size is not enough
  const { stateDir } = node(content);
  mkdirSync(join(stateDir, 'artifacts/whole'));
  writeFileSync(join(stateDir, 'artifacts/whole/an-earlier-boot'), `${sha256}\n`);
  expect(await knownBlobs(stateDir).has(sha256)).toBe(false);
  expect(await localHost({ stateDir }).artifacts.has(artifact)).toBe(true);
  expect(await knownBlobs(stateDir).has(sha256)).toBe(true);
  expect(readdirSync(join(stateDir, 'artifacts/whole'))).not.toContain('an-earlier-boot');
});
test('one that is dropped is known no more, and one that is gone does not count', async () => {
  const { stateDir, path } = node(content);
  const { artifacts } = localHost({ stateDir });
  expect(await artifacts.has(artifact)).toBe(true);
  rmSync(path);
  expect(await artifacts.has(artifact)).toBe(false);
  await artifacts.drop([artifact]);
  expect(await knownBlobs(stateDir).has(sha256)).toBe(false);
});
test('what the store holds damaged is asked for again before anything is installed', async () => {
  const { stateDir } = node('the BYTES');
  const { files } = localHost({ stateDir, artifacts: () => ({ addresses: ['http://127.0.0.1:9'], tls: { ca: '', cert: '', key: '' } }) });
  await expect(files.install(artifact, join(folder, 'thing'))).rejects.toMatchObject({ code: 'fetch-failed' });
});
