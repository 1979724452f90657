import { z } from 'zod';
import { ImageRef, Sha256, Version } from './names';

/** One file of a known content. `path` of a blob on the artifact server is `/v1/blobs/<sha256>`. */
export const Blob = z.strictObject({ sha256: Sha256, size: z.int().nonnegative() }).meta({ id: 'Blob' });
export type Blob = z.infer<typeof Blob>;

/**
 * What a plan hands to a task: content pinned by digest, so that a node can fetch and verify it without asking anyone else.
 * - `file`: one blob, an executable or a plain file.
 * - `archive`: one blob, a tar (gzip or not) to unpack.
 * - `image`: an OCI image; `blobs` are its manifest (first), config and layers, `ref` the name under which containerd knows it.
 */
export const Artifact = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('file'), name: z.string(), version: Version, blob: Blob }),
    z.strictObject({ kind: z.literal('archive'), name: z.string(), version: Version, blob: Blob }),
    z.strictObject({
      kind: z.literal('image'),
      name: z.string(),
      version: Version,
      ref: ImageRef,
      blobs: z.array(Blob.extend({ mediaType: z.string() })).min(2),
    }),
  ])
  .meta({ id: 'Artifact' });
export type Artifact = z.infer<typeof Artifact>;
export const FileArtifact = Artifact.options[0];
export type FileArtifact = z.infer<typeof FileArtifact>;
export const ArchiveArtifact = Artifact.options[1];
export type ArchiveArtifact = z.infer<typeof ArchiveArtifact>;
export const ImageArtifact = Artifact.options[2];
export type ImageArtifact = z.infer<typeof ImageArtifact>;

/** Where an artifact can come from, tried in order. A recipe is a name in `catalog/recipes`. */
export const ArtifactSource = z.discriminatedUnion('from', [
  z.strictObject({ from: z.literal('mirror'), path: z.string() }),
  /** `member`: the file to take out of the archive at `url`. */
  z.strictObject({
    from: z.literal('url'),
    url: z.string(),
    sha256: Sha256.optional(),
    checksums: z.string().optional(),
    member: z.string().optional(),
    publisher: z.string(),
  }),
  /** An image from the vendor's registry; `sha256` pins its manifest. */
  z.strictObject({ from: z.literal('registry'), image: z.string(), sha256: Sha256.optional(), publisher: z.string() }),
  z.strictObject({ from: z.literal('recipe'), recipe: z.string(), publisher: z.string(), unofficial: z.boolean().default(false) }),
]);
export type ArtifactSource = z.infer<typeof ArtifactSource>;

/** One line of `catalog/*.yaml`: an artifact by name and version, before anybody has it. */
export const CatalogEntry = z.strictObject({
  name: z.string(),
  version: Version,
  kind: z.enum(['file', 'archive', 'image']),
  ref: ImageRef.optional(),
  approximateSize: z.int().positive(),
  sources: z.array(ArtifactSource).min(1),
});
export type CatalogEntry = z.infer<typeof CatalogEntry>;

/**
 * What the planner sees of the catalog: every entry, and for those already obtained the content.
 * An entry that is not obtained yet is `null`: its digest becomes the output of the plan's `artifact.obtain` step.
 */
export const Catalog = z.strictObject({
  digest: Sha256,
  entries: z.array(CatalogEntry),
  obtained: z.record(z.string(), Artifact), // key: `name@version`
});
export type Catalog = z.infer<typeof Catalog>;
/** The artifact that holds a release's packages as a flat repository: `os` as in /etc/os-release. */
export const osPackagesName = (os: { id: string; version: string }): string => `os-packages-${os.id}-${os.version}`;
export const artifactKey = (a: { name: string; version: string }): string => `${a.name}@${a.version}`;
