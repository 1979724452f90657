export * from './catalog';
export * from './failure';
export { imageTar, type OpenBlob } from './layer-tar';
export { obtainArtifact, type ObtainOptions } from './obtain';
export * from './prepare';
export * from './progress';
export { ArtifactStore, blobsOf } from './store';
export { serveBlobs, type ServeBlobsOptions } from './serve-blobs';
