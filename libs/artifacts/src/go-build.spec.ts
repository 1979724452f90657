import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { BuildContext } from './built';
import { goBinary } from './go-build';
import type { GoGroup } from './recipe';
import { ArtifactStore } from './store';

const version = 'v1.0.0';
const source = `package main

import "fmt"

func main() {
	fmt.Println("tool")
	fmt.Println("a hole")
}
`;
let dir: string;
let context: BuildContext;
let env: NodeJS.ProcessEnv;
const put = async (path: string, text: string): Promise<void> => {
  await mkdir(dirname(join(dir, path)), { recursive: true });
  await writeFile(join(dir, path), text);
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'go-build-'));
  env = { ...process.env, GOPROXY: `file://${dir}/proxy`, GOSUMDB: 'off', GOMODCACHE: join(dir, 'modules') };
  context = { store: new ArtifactStore(join(dir, 'store')), catalogDir: join(dir, 'catalog'), progress: () => undefined, env };
});
afterEach(async () => {
  execFileSync('go', ['clean', '-modcache'], { env, cwd: dir });
  await rm(dir, { recursive: true });
});

/** A public module in a module registry that is a folder; gives its checksum. */
async function publish(): Promise<string> {
  await put(`zip/a.test/tool@${version}/go.mod`, 'module a.test/tool\n\ngo 1.24\n');
  await put(`zip/a.test/tool@${version}/main.go`, source);
  const at = `proxy/a.test/tool/@v/${version}`;
  await put(`${at}.mod`, 'module a.test/tool\n\ngo 1.24\n');
  await put(`${at}.info`, JSON.stringify({ Version: version }));
  const names = ['go.mod', 'main.go'].map((name) => `a.test/tool@${version}/${name}`);
  const zip = 'import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], "w") as z:\n  for name in sys.argv[2:]: z.write(name)';
  execFileSync('python3', ['-c', zip, join(dir, `${at}.zip`), ...names], { cwd: join(dir, 'zip') }); // Go takes no entries of folders
  const told = execFileSync('go', ['mod', 'download', '-json', `a.test/tool@${version}`], { env, cwd: dir, encoding: 'utf8' });
  return (JSON.parse(told) as { Sum: string }).Sum;
}
const group = (sum: string, drop: string, module?: string): GoGroup => ({
  ...(module ? { module } : {}),
  patch: { module: 'a.test/tool', version, sum, remove: [], drop: { 'main.go': drop } },
  packages: { tool: '.' },
  ldflags: '-s -w',
});

describe('a patched copy of a public module', () => {
  it('is built without the lines that the recipe leaves out, by the go.mod of its folder where it has one', async () => {
    const sum = await publish();
    await put('catalog/recipes/tool/1.0.0/go.mod', 'module a.test/tool\n\ngo 1.24\n\ngodebug default=go1.23\n');
    const built: string[] = [];
    for (const module of [undefined, 'tool/1.0.0']) {
      const binary = await goBinary(context, [group(sum, 'a hole', module)], 'tool');
      expect(Object.keys(binary.inputs['pins'] as object)).toEqual([...(module ? ['go.mod'] : []), 'patch']);
      const path = join(dir, 'out', module ? 'with' : 'without');
      await binary.build(path);
      expect(execFileSync(path, { encoding: 'utf8' })).toBe('tool\n');
      built.push(execFileSync('go', ['version', '-m', path], { encoding: 'utf8' }));
    }
    expect(built.map((text) => /DefaultGODEBUG=\S*/.test(text))).toEqual([true, true]);
    expect(built[0]).not.toBe(built[1]);
  }, 120_000);

  it('is refused when a pattern finds nothing to leave out, and when its checksum is another', async () => {
    const sum = await publish();
    const build = async (of: GoGroup): Promise<void> => (await goBinary(context, [of], 'tool')).build(join(dir, 'out', 'tool'));
    await expect(build(group(sum, 'no such line'))).rejects.toThrow('the patch of a.test/tool@v1.0.0 finds no line like no such line in main.go');
    await expect(build(group('h1:other', 'a hole'))).rejects.toThrow(`has the checksum ${sum}, the recipe pins h1:other`);
  }, 120_000);

  it.each([
    ['its module', {}, 'tool/1.0.0'],
    ['a module that it is aligned with', { aligned: 'others' }, 'others'],
  ])(
    'waits while another program of %s is compiled, and says so',
    async (_of, more, name) => {
      const sum = await publish();
      await put('catalog/recipes/tool/1.0.0/go.mod', 'module a.test/tool\n\ngo 1.24\n');
      const notes: string[] = [];
      const path = join(dir, 'out', 'tool');
      const binary = await goBinary({ ...context, progress: ({ note }) => notes.push(note) }, [{ ...group(sum, 'a hole', 'tool/1.0.0'), ...more }], 'tool');
      let building: Promise<void> = Promise.resolve();
      await context.store.locked(`go-${name.replaceAll('/', '-')}`, async () => {
        building = binary.build(path);
        while (notes.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      });
      await building;
      expect(notes[0]).toBe(`tool: waiting for another program with packages of ${name}, which process ${process.pid} compiles, 0 s`);
      expect(execFileSync(path, { encoding: 'utf8' })).toBe('tool\n');
    },
    120_000,
  );

  it('is one of two at a time; a third waits, and says so', async () => {
    const sum = await publish();
    const notes: string[] = [];
    const paths = ['a', 'b', 'c'].map((name) => join(dir, 'out', name));
    const binaries = paths.map(() => goBinary({ ...context, progress: ({ note }) => notes.push(note) }, [group(sum, 'a hole')], 'tool'));
    await Promise.all((await Promise.all(binaries)).map(async (binary, i) => binary.build(paths[i] ?? '')));
    expect(notes.filter((note) => /^tool: waiting until one of 2 others is compiled, [0-2] s$/.test(note))).not.toEqual([]);
    expect(paths.map((path) => execFileSync(path, { encoding: 'utf8' }))).toEqual(['tool\n', 'tool\n', 'tool\n']);
  }, 120_000);
});
