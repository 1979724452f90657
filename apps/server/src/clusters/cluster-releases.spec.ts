import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClusterReleases } from './cluster-releases';

let dir: string;
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'releases-'))));
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('many releases that ask at once have one program, whole', async () => {
  const blob = join(dir, 'blob');
  writeFileSync(blob, `#!/bin/sh\necho '[]'\nexit 0\n#${'x'.repeat(20_000_000)}\n`);
  const releases = new ClusterReleases();
  Object.assign(releases, {
    edges: { settings: { home: dir } },
    artifacts: { obtained: async () => Promise.resolve({ kind: 'file', blob: { sha256: 'a'.repeat(64) } }), store: { blobPath: () => blob } },
    clusters: { kubeconfig: async () => Promise.resolve('') },
    bundles: {},
  });
  const asked = Array.from({ length: 6 }, (_, i) => releases.of('c').rollback({ release: `r${i}`, namespace: 'default' }, 1, { timeoutMs: 5_000, signal: new AbortController().signal }));
  await Promise.all(asked);
  expect(readdirSync(join(dir, 'helm')).filter((name) => name.startsWith('helm-'))).toEqual([`helm-${'a'.repeat(16)}`]);
});
