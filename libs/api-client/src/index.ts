export * from './api-error';
export * from './client';
export * from './node-transport';
export type { FeedOptions } from './run-feed';
export * from './transport';
