import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CliError } from '../cli-error';
import { strataProgram } from '../program';
import { paper } from '../testing/paper';

let dir: string;
let file: string;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const raw = publicKey.export({ type: 'spki', format: 'der' }).subarray(12);
const signer = { publicKey: raw, sign: (bytes: Buffer) => sign(null, bytes, privateKey) };
let key: string;

beforeAll(async () => {
  const { ArtifactStore, bundleFile, bundleFileManifest, fingerprintOf } = await import('@strata/artifacts');
  key = fingerprintOf(raw);
  dir = mkdtempSync(join(tmpdir(), 'strata-bundle-file-'));
  file = join(dir, 'site.bundle');
  const store = new ArtifactStore(join(dir, 'store'));
  const blob = await store.putText('a program');
  const manifest = bundleFileManifest({
    ...{ name: 'site', version: '1.0.0', strata: '0.1.0', created: '2029-06-01T00:00:00Z', expires: '2030-06-01T00:00:00Z', bundles: [], catalog: [] },
    artifacts: [{ kind: 'file', name: 'helm', version: '4.0.0', blob }],
  });
  await writeFile(file, bundleFile(manifest, signer, store).stream);
});
afterAll(() => rmSync(dir, { recursive: true }));
/** The clock of `paper` stands at 2030-01-01. */
const bundle = async (...args: string[]): Promise<string> => {
  const sheet = paper({ HOME: dir });
  const error: unknown = await strataProgram(sheet.cli).parseAsync(['node', 'strata', 'bundle', ...args]).then(() => null, (e: unknown) => e); // prettier-ignore
  return error instanceof CliError ? `${error.what.exitCode}: ${error.message}\n${error.what.remedy ?? ''}` : sheet.out.join('\n');
};

test('inspect says what is in a file and who signed it, without a server', async () => {
  const said = await bundle('inspect', file);
  for (const line of [
    /^site 1\.0\.0: 1 artifacts; whole and unchanged/,
    `signed by ${key}`,
    /file +helm +4\.0\.0 +0\.0 MB/,
    /good until 2030-06-01T00:00:00Z$/m,
  ])
    expect(said).toMatch(line);
  expect(JSON.parse(await bundle('inspect', file, '-o', 'json'))).toMatchObject({ signer: key, name: 'site', artifacts: [{ name: 'helm' }] });
});

test('verify says whether whoever trusts a key would take it', async () => {
  expect(await bundle('verify', file, '--key', key)).toMatch(/is good: site 1\.0\.0, .* which is trusted; until 2030-06-01/);
  const stranger = `SHA256:${'A'.repeat(43)}`;
  expect(await bundle('verify', file, '--key', stranger)).toMatch(new RegExp(`^1: .*is refused: it is signed with ${key}, which this server does not trust\n.*strata bundle trust ${key}$`));
  expect(await bundle('verify', file, '--key', 'SHA256:x')).toMatch(/^2: "SHA256:x" is no fingerprint/);
}); // prettier-ignore

test('a changed byte is found by both', async () => {
  const bytes = readFileSync(file);
  bytes[bytes.length - 1024 - 510] = (bytes[bytes.length - 1024 - 510] ?? 0) ^ 1;
  const changed = join(dir, 'changed.bundle');
  writeFileSync(changed, bytes);
  expect(await bundle('inspect', changed)).toMatch(/^1: .*has sha256 .* the manifest says/);
  expect(await bundle('verify', changed, '--key', key)).toMatch(/^1: .*has sha256 .* the manifest says/);
});

test('what is not said right is named before anything is asked of a server', async () => {
  expect(await bundle('create', 'site', '-o', join(dir, 'new'))).toMatch(/^2: "site" does not say how the file is called/);
  expect(await bundle('create', 'site@1.0.0', '-o', join(dir, 'new'))).toMatch(/^2: nothing says what to pack/);
  expect(await bundle('create', 'site@1.0.0', '--bundle', 'x', '-o', file)).toMatch(/^2: .* is there already/);
  expect(await bundle('push', join(dir, 'none'))).toMatch(/^2: .*no such file/);
  expect(await bundle('push', dir)).toMatch(/^2: .* is no file/);
  expect(await bundle('trust')).toMatch(/^2: nothing says whom to trust/);
});
