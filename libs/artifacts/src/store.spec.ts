import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Artifact } from '@strata/model';
import { builtOnce, writeLocks, type BuildContext } from './built';
import { ArtifactStore } from './store';

let dir: string;
let store: ArtifactStore;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'store-'));
  store = new ArtifactStore(dir);
});
afterEach(() => rm(dir, { recursive: true }));
const sha = (s: string): string => createHash('sha256').update(s).digest('hex');

describe('ArtifactStore', () => {
  it('keeps bytes under their digest and gives ranges of them', async () => {
    const blob = await store.putText('hello');
    expect(blob).toEqual({ sha256: sha('hello'), size: 5 });
    expect(await text(await store.read(blob))).toBe('hello');
    expect(await text(await store.read(blob, { start: 1, end: 2 }))).toBe('el');
    await expect(store.read({ ...blob, size: 6 })).rejects.toThrow('is not in');
  });

  it('keeps nothing of a stream that breaks or has other bytes than expected', async () => {
    await expect(store.putStream(Readable.from([Buffer.from('x')]), { sha256: sha('y'), what: 'the file' })).rejects.toThrow(`expected ${sha('y')}`);
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.from('x');
      throw new Error('broke off');
    }
    await expect(store.putStream(broken())).rejects.toThrow('broke off');
    expect(await readdir(join(dir, 'work'))).toEqual([]);
    await expect(readdir(join(dir, 'blobs'))).rejects.toThrow('ENOENT');
  });

  it('finds and removes a damaged blob on a full check, and a short one at once', async () => {
    const blob = await store.putText('hello');
    const artifact: Artifact = { kind: 'file', name: 'x', version: '1.0', blob };
    await store.recordObtained(artifact);
    expect(await store.allObtained()).toEqual({ 'x@1.0': artifact });
    await writeFile(store.blobPath(blob.sha256), 'hellO');
    await expect(store.verify(blob)).rejects.toThrow('is damaged');
    expect(await store.obtained(artifact)).toBeUndefined();
    await store.putText('hello');
    await store.verify(blob);
    await writeFile(store.blobPath(blob.sha256), 'hell');
    expect(await store.obtained(artifact)).toBeUndefined();
  });

  it('removes the work of dead builders, not of living ones', async () => {
    await mkdir(join(dir, 'work', `job-${process.pid}-1-dead`), { recursive: true });
    await mkdir(join(dir, 'work', 'job-4194304-1-dead'), { recursive: true });
    await writeFile(join(dir, 'work', 'part-abc'), 'kept for resuming');
    await store.inWorkDir(async (work) => {
      expect((await readdir(join(dir, 'work'))).sort()).toEqual([work.slice(dir.length + 6), 'part-abc']);
      await store.inWorkDir(async () => undefined);
      expect(await readdir(work)).toEqual([]);
    });
    expect(await readdir(join(dir, 'work'))).toEqual(['part-abc']);
  });
});

describe('builtOnce', () => {
  const context = (): BuildContext => ({ store, catalogDir: dir, progress: () => undefined, env: {} });
  const job = { what: 'thing', inputs: { go: '1.26.8', b: 1 } };

  it('builds once for the same inputs, whoever asks', async () => {
    let built = 0;
    const build = async () => store.putText(`built ${++built}`);
    const all = await Promise.all([builtOnce(context(), job, build), builtOnce(context(), { ...job, inputs: { b: 1, go: '1.26.8' } }, build)]);
    expect(built).toBe(1);
    expect(all[0]).toEqual(all[1]);
    await builtOnce(context(), { ...job, inputs: { go: '1.27.0', b: 1 } }, build);
    expect(built).toBe(2);
  });

  it('refuses other bytes from the same inputs, with both digests', async () => {
    const blob = await builtOnce(context(), job, async () => store.putText('one'));
    await rm(store.blobPath(blob.sha256));
    await expect(builtOnce(context(), job, async () => store.putText('two'))).rejects.toThrow(new RegExp(`${sha('one')}.*${sha('two')}`));
    await builtOnce(context(), job, async () => store.putText('one'));
  });

  it('keeps to the committed locks', async () => {
    const key = sha('{"b":1,"go":"1.26.8"}');
    await writeFile(join(dir, 'locks.yaml'), `${key}: { what: thing, sha256: ${sha('one')} }\n`);
    await expect(builtOnce(context(), job, async () => store.putText('two'))).rejects.toThrow('catalog/locks.yaml');
    await builtOnce(context(), job, async () => store.putText('one'));
    await rm(join(dir, 'locks.yaml'));
    expect(await writeLocks(store, dir)).toBe(1);
    expect(await readFile(join(dir, 'locks.yaml'), 'utf8')).toContain(`${key}:\n  what: thing\n  sha256: ${sha('one')}\n`);
  });
});
