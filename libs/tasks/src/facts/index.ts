export * from './gather';
export { interruptedPackages, lockHolder, packageManager, strataMark } from './software';
export type { FactSource } from './source';
export { featureOfModule, kernelFeatures } from './system';
