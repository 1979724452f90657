export * from './clock';
export * from './effects';
export * from './memory-facts';
export { memoryDigest } from './memory-files';
export * from './memory-host';
export type { MemoryPackage } from './memory-packages';
export type { UnitBehaviour } from './memory-units';
export { said } from './memory-programs';
