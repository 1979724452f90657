export * from './gather';
export { droppingChains, interruptedPackages, iptablesDrops, lockHolder, packageManager, strataMark } from './software';
export type { FactSource } from './source';
export { featureOfModule, kernelFeatures } from './system';
export type { NftChain } from './software';
