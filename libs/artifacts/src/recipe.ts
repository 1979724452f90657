import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PackageName, Sha256, Version } from '@strata/model';
import { z } from 'zod';
import { fillIn } from './catalog';
import { readYaml } from './yaml-file';

/** Go binaries of one module folder (`catalog/recipes/<module>`: go.mod, go.sum and what pins or is the source), or of a patched copy of a public module, with its own go.mod or the folder's. */
const GoGroup = z.strictObject({
  module: z.string().optional(),
  /** Groups with the same word require the same versions of what they have in common (`tools/align-recipes.mjs`): each is compiled by what the others left in Go's cache. */
  aligned: z.string().optional(),
  /** A public module that does not build as it is: copied at this version and checksum, folders removed, lines dropped. */
  patch: z
    .strictObject({ module: z.string(), version: z.string(), sum: z.string(), remove: z.array(z.string()), drop: z.record(z.string(), z.string()) })
    .optional(),
  /** Binary -> package. */
  packages: z.record(z.string(), z.string()),
  ldflags: z.string(),
  tags: z.string().optional(),
  /** Set when C is needed: Debian packages that must be on the machine, and static linking is in `ldflags`. */
  cgo: z.strictObject({ debian: z.array(PackageName) }).optional(),
});
export type GoGroup = z.infer<typeof GoGroup>;

const FilesLayer = z.strictObject({ files: z.record(z.string(), z.union([z.string(), z.strictObject({ text: z.string() })])) });
export type FilesLayer = z.infer<typeof FilesLayer>;

/** A wheel of PyPI, pinned by its digest. */
export const Wheel = z.strictObject({ name: PackageName, version: Version, sha256: Sha256 });
export type Wheel = z.infer<typeof Wheel>;

/** One file of a wheel: `member` is its path in the archive. */
export const WheelFile = Wheel.extend({ member: z.string().regex(/^\w(?!.*\.\.)/, 'must be a path inside the wheel') });
export type WheelFile = z.infer<typeof WheelFile>;

const Output = z.discriminatedUnion('kind', [
  z
    .strictObject({ kind: z.literal('file'), binary: z.string().optional(), wheel: WheelFile.optional() })
    .refine((o) => (o.binary === undefined) !== (o.wheel === undefined), 'a file is made from either a `binary` or a `wheel`, and not both'),
  z.strictObject({ kind: z.literal('archive'), files: z.record(z.string(), z.string()) }),
  z.strictObject({
    kind: z.literal('image'),
    /** A name in `layers.yaml` (shared between images), or files of this recipe. */
    layers: z.array(z.union([z.string(), FilesLayer])).min(1),
    entrypoint: z.array(z.string()).optional(),
    cmd: z.array(z.string()).optional(),
    env: z.array(z.string()).optional(),
    user: z.string().optional(),
  }),
]);
export type Output = z.infer<typeof Output>;

export const Recipe = z.strictObject({ go: z.array(GoGroup).default([]), outputs: z.record(z.string(), Output) });
export type Recipe = z.infer<typeof Recipe>;

/** A layer of Debian packages; `drop` are path prefixes to leave out, `applets` a folder to fill with busybox's links. */
export const DebianLayer = z.strictObject({
  packages: z.array(PackageName).min(1),
  drop: z.array(z.string()).default([]),
  links: z.record(z.string(), z.string()).default({}),
  applets: z.string().optional(),
});
export type DebianLayer = z.infer<typeof DebianLayer>;

const Toolchain = z.strictObject({ go: z.strictObject({ wheel: z.string(), version: z.string(), sha256: Sha256 }) });
export type Toolchain = z.infer<typeof Toolchain>;

/** Reads a recipe for one version. Throws when there is none, or it has no pinned inputs for that version. */
export async function loadRecipe(catalogDir: string, name: string, version: string): Promise<Recipe> {
  const [major = '', minor = ''] = version.split('.');
  const recipe = fillIn(await readYaml(join(catalogDir, 'recipes', `${name}.yaml`), Recipe), { version, major, minor });
  const lacks = (what: string): Error => new Error(`the recipe ${name} has no pinned inputs for version ${version} (${what})`);
  for (const group of recipe.go) {
    if (!group.module) continue;
    const folder = join(catalogDir, 'recipes', group.module);
    const pinned = await stat(join(folder, 'go.mod')).catch(() => undefined);
    if (!pinned) throw lacks(`${folder}/go.mod is missing`);
  }
  for (const output of Object.values(recipe.outputs)) {
    const wheel = output.kind === 'file' ? output.wheel : undefined;
    if (wheel && wheel.version !== version) throw lacks(`its wheel ${wheel.name} is ${wheel.version}`);
  }
  return recipe;
}

export async function loadLayers(catalogDir: string): Promise<Record<string, DebianLayer>> {
  return readYaml(join(catalogDir, 'recipes', 'layers.yaml'), z.record(z.string(), DebianLayer));
}

export async function loadToolchain(catalogDir: string): Promise<Toolchain> {
  return readYaml(join(catalogDir, 'recipes', 'toolchain.yaml'), Toolchain);
}
