export * from './api-error';
export type { ClientOptions } from './calls';
export * from './client';
export type { Reconnecting } from './message-feed';
export * from './node-transport';
export type { FeedOptions } from './run-feed';
export * from './transport';
