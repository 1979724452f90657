export * from './mount-health';
export * from './node-storage';
export * from './storage-problems';
export * from './volume-work';
