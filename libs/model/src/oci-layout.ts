import type { ImageArtifact } from './artifact';

/** One file of a tar stream: its bytes are `text` here, or the blob `sha256` from wherever the caller keeps blobs. `size` in bytes. */
export type LayoutEntry = { path: string; size: number } & ({ text: string } | { sha256: string });

/**
 * The files of one OCI image layout that holds all `images`, in the order to stream them: marker, index, then every blob once, however
 * many images share it. containerd imports such a tar (`ctr -n k8s.io images import -`) under the names in the annotations.
 */
export function ociLayout(images: readonly ImageArtifact[]): LayoutEntry[] {
  const manifests = images.map((image) => {
    const manifest = image.blobs[0];
    if (!manifest) throw new Error(`image ${image.ref} has no manifest blob`);
    return {
      mediaType: manifest.mediaType,
      digest: `sha256:${manifest.sha256}`,
      size: manifest.size,
      platform: { architecture: 'amd64', os: 'linux' },
      annotations: { 'io.containerd.image.name': image.ref, 'org.opencontainers.image.ref.name': image.ref.slice(image.ref.lastIndexOf(':') + 1) },
    };
  });
  const blobs = new Map(images.flatMap((image) => image.blobs.map((b) => [b.sha256, b.size] as const)));
  return [
    textEntry('oci-layout', { imageLayoutVersion: '1.0.0' }),
    textEntry('index.json', { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests }),
    ...[...blobs].map(([sha256, size]) => ({ path: `blobs/sha256/${sha256}`, size, sha256 })),
  ];
}

function textEntry(path: string, value: unknown): LayoutEntry {
  const text = JSON.stringify(value);
  return { path, size: new TextEncoder().encode(text).length, text };
}
