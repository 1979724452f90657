export { pruneResults } from './durable';
export { localSource } from './fact-source';
export { fetchBlob, type FetchBlobOptions } from './fetch-blob';
export * from './local-host';
export type { ArtifactAccess, LocalHostOptions } from './options';
