export * from './gather';
export { interruptedPackages, lockHolder, packageManager, strataMark } from './software';
export { likelyAddresses, listOf, nodeAddresses } from './node-addresses';
export type { FactSource } from './source';
export { featureOfModule, kernelFeatures } from './system';
