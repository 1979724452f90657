import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Artifact, Blob, CatalogEntry } from '@strata/model';
import { builtOnce, type BuildContext } from './built';
import { debianLayer } from './debian';
import { goBinary, type GoBinary } from './go-build';
import { folderTar } from './layer-tar';
import { putImage } from './oci-image';
import { loadLayers, loadRecipe, type FilesLayer, type Output, type Recipe } from './recipe';
import { wheelFile } from './wheel';

/** Builds a catalog entry by a recipe, from Go modules, PyPI and Debian packages only. Everything already built from the same inputs is taken from the store. */
export async function buildRecipe(context: BuildContext, entry: CatalogEntry, recipeName: string): Promise<Artifact> {
  const recipe = await loadRecipe(context.catalogDir, recipeName, entry.version);
  const output = recipe.outputs[entry.name];
  if (!output) throw new Error(`the recipe ${recipeName} does not make ${entry.name}; it makes ${Object.keys(recipe.outputs).join(', ')}`);
  if (output.kind !== entry.kind) throw new Error(`the recipe ${recipeName} makes ${entry.name} as ${output.kind}, the catalog says ${entry.kind}`);
  const head = { name: entry.name, version: entry.version };
  switch (output.kind) {
    case 'file':
      return { kind: 'file', ...head, blob: await buildFile(context, { recipe, output, what: entry.name }) };
    case 'archive':
      return { kind: 'archive', ...head, blob: await buildTree(context, { recipe, files: output.files, what: entry.name }) };
    case 'image':
      return buildImage(context, { entry, recipe, output });
  }
}

async function buildFile(context: BuildContext, job: { recipe: Recipe; output: Extract<Output, { kind: 'file' }>; what: string }): Promise<Blob> {
  const { binary, wheel } = job.output;
  if (wheel) return wheelFile(context, job.what, wheel);
  if (binary === undefined) throw new Error(`the recipe of ${job.what} names neither a binary nor a wheel`);
  return buildBinary(context, await goBinary(context, job.recipe.go, binary));
}

async function buildBinary(context: BuildContext, binary: GoBinary): Promise<Blob> {
  return builtOnce(context, { what: binary.name, inputs: { file: binary.inputs } }, async (dir) => {
    const path = join(dir, 'out', binary.name);
    await binary.build(path);
    return context.store.putFile(path);
  });
}

async function buildImage(context: BuildContext, job: { entry: CatalogEntry; recipe: Recipe; output: Extract<Output, { kind: 'image' }> }): Promise<Artifact> {
  const { entry, recipe, output } = job;
  if (!entry.ref) throw new Error(`the catalog gives no ref for the image ${entry.name}`);
  const shared = await loadLayers(context.catalogDir);
  const layers: Blob[] = [];
  for (const layer of output.layers) {
    if (typeof layer !== 'string') layers.push(await buildTree(context, { recipe, files: layer.files, what: entry.name, withTmp: true }));
    else if (shared[layer]) layers.push(await debianLayer(context, layer, shared[layer]));
    else throw new Error(`${entry.name} names the layer ${layer}, which layers.yaml does not have`);
  }
  const { entrypoint, cmd, env, user } = output;
  return putImage(context.store, { name: entry.name, version: entry.version, ref: entry.ref }, { layers, config: { entrypoint, cmd, env, user } });
}

/** A tar of binaries and texts at their places. Everything in it can be executed. */
async function buildTree(context: BuildContext, job: { recipe: Recipe; files: FilesLayer['files']; what: string; withTmp?: boolean }): Promise<Blob> {
  const parts: { path: string; binary?: GoBinary; text?: string }[] = [];
  for (const [path, from] of Object.entries(job.files)) {
    parts.push(typeof from === 'string' ? { path, binary: await goBinary(context, job.recipe.go, from) } : { path, text: from.text });
  }
  const inputs = { tree: parts.map((p) => ({ path: p.path, binary: p.binary?.inputs, text: p.text })), withTmp: job.withTmp ?? false };
  return builtOnce(context, { what: job.what, inputs }, async (dir) => {
    const root = join(dir, 'root');
    if (job.withTmp) await mkdir(join(root, 'tmp'), { recursive: true });
    for (const { path, binary, text } of parts) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      if (binary) await binary.build(join(root, path));
      else await writeFile(join(root, path), text ?? '', { mode: 0o755 });
    }
    return context.store.putStream(folderTar(root, { tmp: 0o1777 }));
  });
}
