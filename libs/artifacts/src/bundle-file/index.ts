export { type BundleFileChecks, type BundleFileHead, compareVersions, readBundleFile } from './read';
export { BundleFileRefused, type RefusedBecause } from './refused';
export { type BundleSigner, fingerprintOf } from './signature';
export { takeBundleFile, type TakenFile, type TakeInto } from './take';
export { bundleFile, type BundleFileContent, bundleFileManifest, packBundle } from './write';
