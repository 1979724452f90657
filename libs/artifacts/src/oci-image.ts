import type { Blob, ImageArtifact } from '@strata/model';
import type { ArtifactStore } from './store';

/** What an image says about how it is started. */
export interface ImageConfig {
  entrypoint?: string[];
  cmd?: string[];
  env?: string[];
  user?: string;
}

const epoch = '1970-01-01T00:00:00Z';
const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
};

/** Puts manifest and config of an image of these (uncompressed) layers, all in the store already, and gives the artifact. Same layers and config, same digests. */
export async function putImage(
  store: ArtifactStore,
  head: Pick<ImageArtifact, 'name' | 'version' | 'ref'>,
  body: { layers: readonly Blob[]; config: ImageConfig },
): Promise<ImageArtifact> {
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const { entrypoint, cmd, env = [], user } = body.config;
  const config = await store.putText(
    JSON.stringify({
      created: epoch,
      architecture: 'amd64',
      os: 'linux',
      config: { User: user, Env: [path, ...env], Entrypoint: entrypoint, Cmd: cmd, WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: body.layers.map((l) => `sha256:${l.sha256}`) },
      history: body.layers.map(() => ({ created: epoch, created_by: 'strata' })),
    }),
  );
  const describe = (mediaType: string, blob: Blob): object => ({ mediaType, digest: `sha256:${blob.sha256}`, size: blob.size });
  const manifest = await store.putText(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: describe(types.config, config),
      layers: body.layers.map((l) => describe(types.layer, l)),
    }),
  );
  return {
    kind: 'image',
    ...head,
    blobs: [{ ...manifest, mediaType: types.manifest }, { ...config, mediaType: types.config }, ...body.layers.map((l) => ({ ...l, mediaType: types.layer }))],
  };
}
