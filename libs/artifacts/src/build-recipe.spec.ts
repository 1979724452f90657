import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createWriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ImageArtifact } from '@strata/model';
import { buildRecipe } from './build-recipe';
import type { BuildContext } from './built';
import { findEntry, loadCatalog } from './catalog';
import { findGo } from './go-toolchain';
import { imageTar } from './layer-tar';
import { putImage } from './oci-image';
import { runProgram } from './programs';
import { ArtifactStore } from './store';

const catalogDir = resolve(__dirname, '../../../catalog');
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'build-'));
});
afterEach(() => rm(dir, { recursive: true }));
const contextIn = (name: string, notes: string[] = []): BuildContext => ({
  store: new ArtifactStore(join(dir, name)),
  catalogDir,
  progress: (p) => notes.push(p.note),
  env: process.env,
});

describe('buildRecipe', () => {
  it('builds the same image twice from the same inputs, really, with Go', async () => {
    const notes: string[] = [];
    const [a, b] = [contextIn('a', notes), contextIn('b')];
    const entry = findEntry(await loadCatalog(catalogDir, a.store), 'image-pause');
    const image = (await buildRecipe(a, entry, 'pause')) as ImageArtifact;
    expect(await buildRecipe(b, entry, 'pause')).toEqual(image);
    expect(image.ref).toBe('registry.k8s.io/pause:3.10.2');
    expect(notes).toContainEqual(expect.stringMatching(/^pause: compiling with Go 1\.\d+/));
    expect(await readdir(join(a.store.dir, 'work'))).toEqual([]);
    const before = notes.length;
    await buildRecipe(a, entry, 'pause');
    expect(notes).toHaveLength(before);
  }, 120_000);

  it('says what a recipe makes when asked for something else', async () => {
    const context = contextIn('a');
    const entry = findEntry(await loadCatalog(catalogDir, context.store), 'helm');
    await expect(buildRecipe(context, { ...entry, version: '3.10.2' }, 'pause')).rejects.toThrow('does not make helm; it makes image-pause');
    await expect(findGo({ ...context, catalogDir: dir }, '9.9')).rejects.toThrow(/no Go 9\.9 or newer: .*Install Go 9\.9/);
  });
});

describe('imageTar', () => {
  it('is one OCI layout that tar reads, with a shared layer once', async () => {
    const store = new ArtifactStore(dir);
    const shared = await store.putText('shared layer');
    const one = await putImage(store, { name: 'a', version: '1.0', ref: 'strata.local/a:1' }, { layers: [shared], config: { cmd: ['/a'] } });
    const two = await putImage(store, { name: 'b', version: '1.0', ref: 'strata.local/b:1' }, { layers: [shared, await store.putText('own')], config: {} });
    const { stream, size } = imageTar([one, two], (blob) => store.read(blob));
    await pipeline(stream, createWriteStream(join(dir, 'images.tar')));
    const listed = execFileSync('tar', ['-tf', join(dir, 'images.tar')], { encoding: 'utf8' })
      .trim()
      .split('\n');
    expect(listed.slice(0, 2)).toEqual(['oci-layout', 'index.json']);
    expect(listed.filter((p) => p.endsWith(shared.sha256))).toHaveLength(1);
    expect(listed).toHaveLength(2 + 2 + 2 + 2);
    expect(execFileSync('stat', ['-c', '%s', join(dir, 'images.tar')], { encoding: 'utf8' }).trim()).toBe(String(size));
    await writeFile(store.blobPath(shared.sha256), 'short');
    await expect(pipeline(imageTar([one], (blob) => store.read(blob)).stream, createWriteStream('/dev/null'))).rejects.toThrow('is not in');
  });
});

describe('runProgram', () => {
  it('kills the whole group on abort and at the deadline, and shows the last words of a failure', async () => {
    await expect(runProgram(['sh', '-c', 'echo broken >&2; exit 3'], { deadlineMs: 5_000 })).rejects.toThrow('ended with 3: broken');
    await expect(runProgram(['sh', '-c', 'sleep 30 & sleep 30'], { deadlineMs: 100 })).rejects.toThrow('killed after 0.1 s');
    const abort = new AbortController();
    setTimeout(() => abort.abort(new Error('cancelled')), 50);
    await expect(runProgram(['sleep', '30'], { deadlineMs: 5_000, signal: abort.signal })).rejects.toThrow('cancelled');
    await expect(runProgram(['no-such-program'], { deadlineMs: 5_000 })).rejects.toThrow(/no-such-program/);
  });
});
