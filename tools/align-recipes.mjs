// node tools/align-recipes.mjs WORD [CATALOG]: raises each module that several of the recipes with `aligned: WORD` require to the newest version that one
// of them requires, at the version of each that the catalog names first. Go's cache knows a package by its module's path and version, so what they have in
// common is compiled once. Goes on until nothing is left to raise. Build what changed afterwards (catalog/README.md).
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import semver from 'semver';
import { parse } from 'yaml';
import { applyPatch } from '../libs/artifacts/dist/go-build.js'; // built by tools/set-up.mjs

const [word, catalog = 'catalog'] = process.argv.slice(2);
if (word === undefined) {
  console.error('Usage: node tools/align-recipes.mjs WORD [CATALOG]');
  process.exit(2);
}
const read = (path) => parse(readFileSync(path, 'utf8'));
const go = (cwd, ...argv) =>
  execFileSync('go', argv, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26, env: { ...process.env, GOWORK: 'off', GOTOOLCHAIN: 'local' } });
const requires = ({ folder }) => JSON.parse(go(folder, 'mod', 'edit', '-json')).Require.map((r) => [r.Path, r.Version]);

/** The groups with this word: the folder of its go.mod, and which module is copied and patched, if one is. */
function aligned() {
  const yamls = readdirSync(catalog).filter((file) => file.endsWith('.yaml') && file !== 'locks.yaml');
  const first = new Map();
  for (const { versions, sources } of yamls.flatMap((file) => read(join(catalog, file)).artifacts))
    for (const { recipe } of sources) if (recipe !== undefined && !first.has(recipe)) first.set(recipe, versions[0]);
  const groups = [...first].flatMap(([recipe, version]) => {
    const filled = parse(readFileSync(join(catalog, 'recipes', `${recipe}.yaml`), 'utf8').replaceAll('{version}', version));
    return (filled.go ?? []).filter((group) => group.aligned === word);
  });
  return [...new Map(groups.map(({ module, patch }) => [module, { name: module, folder: join(catalog, 'recipes', module), patch }])).values()];
}

/** Where the code is elsewhere, in a copy of it: go.mod and go.sum are brought there and back. */
async function tidy({ folder, patch }) {
  if (!patch) return go(folder, 'mod', 'tidy');
  const { Dir } = JSON.parse(go(folder, 'mod', 'download', '-json', `${patch.module}@${patch.version}`));
  const copy = mkdtempSync(join(tmpdir(), 'strata-recipe-'));
  try {
    cpSync(Dir, copy, { recursive: true });
    execFileSync('chmod', ['-R', 'u+w', copy]);
    await applyPatch(copy, patch);
    for (const pin of ['go.mod', 'go.sum']) cpSync(join(folder, pin), join(copy, pin));
    go(copy, 'mod', 'tidy');
    for (const pin of ['go.mod', 'go.sum']) cpSync(join(copy, pin), join(folder, pin));
  } finally {
    rmSync(copy, { recursive: true });
  }
}

const recipes = aligned();
console.log(`${recipes.length} recipes are aligned: ${recipes.map((r) => r.name).join(', ')}`);
for (let round = 1, raised = 1; raised > 0; round++) {
  const newest = new Map();
  for (const [path, version] of recipes.flatMap(requires)) if (!newest.has(path) || semver.gt(version, newest.get(path))) newest.set(path, version);
  raised = 0;
  for (const recipe of recipes) {
    const behind = requires(recipe).filter(([path, version]) => version !== newest.get(path));
    if (behind.length === 0) continue;
    raised += behind.length;
    console.log(`round ${round}: ${recipe.name} raises ${behind.length}`);
    go(recipe.folder, 'mod', 'edit', ...behind.map(([path]) => `-require=${path}@${newest.get(path)}`));
    await tidy(recipe);
  }
}
