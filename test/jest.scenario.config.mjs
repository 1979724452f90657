// The built control server as processes, real Redis and PostgreSQL, and many simulated agents over real gRPC. One file after the other. Needs root, as `strata up` does.
import preset from '../jest.preset.mjs';

const root = import.meta.dirname;
export default {
  ...preset,
  displayName: 'scenario',
  rootDir: root,
  roots: [`${root}/scenario`],
  testMatch: ['**/*.spec.ts'],
  testTimeout: 180_000,
  maxWorkers: 1,
  verbose: true,
};
