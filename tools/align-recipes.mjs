// node tools/align-recipes.mjs WORD [CATALOG]: raises each module that several of the recipes with `aligned: WORD` require to the newest version that one
// of them requires, at the version of each that the catalog names first. Go's cache knows a package by its module's path and version, so what they have in
// common is compiled once. Goes on until nothing is left to raise. Build what changed afterwards (catalog/README.md).
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import semver from 'semver';
// built by tools/set-up.mjs
import { loadCatalog } from '../libs/artifacts/dist/catalog.js';
import { applyPatch } from '../libs/artifacts/dist/go-build.js';
import { loadRecipe } from '../libs/artifacts/dist/recipe.js';
import { ArtifactStore } from '../libs/artifacts/dist/store.js';

const [word, catalog = 'catalog'] = process.argv.slice(2);
if (word === undefined) {
  console.error('Usage: node tools/align-recipes.mjs WORD [CATALOG]');
  process.exit(2);
}
const go = (cwd, ...argv) =>
  execFileSync('go', argv, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26, env: { ...process.env, GOWORK: 'off', GOTOOLCHAIN: 'local' } });
const requires = ({ folder }) => JSON.parse(go(folder, 'mod', 'edit', '-json')).Require.map((r) => [r.Path, r.Version]);

/** The groups with this word: the folder of its go.mod, and which module is copied and patched, if one is. */
async function aligned() {
  const groups = new Map();
  const seen = new Set();
  for (const { name, version, sources } of (await loadCatalog(catalog, ArtifactStore.ofMachine(process.env))).entries) {
    if (seen.has(name)) continue; // the version that the catalog names first
    seen.add(name);
    for (const { recipe } of sources)
      for (const group of recipe === undefined ? [] : (await loadRecipe(catalog, recipe, version)).go)
        if (group.aligned === word) groups.set(group.module, { name: group.module, folder: join(catalog, 'recipes', group.module), patch: group.patch });
  }
  return [...groups.values()];
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

const recipes = await aligned();
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
