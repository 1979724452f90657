// Suites that need no root, no Redis and no Postgres: contracts, the engine's standing harness, golden texts. Scenario and lab have configs of their own.
import { existsSync } from 'node:fs';
import preset from '../jest.preset.mjs';

const root = import.meta.dirname;
export default {
  ...preset,
  displayName: 'suite',
  rootDir: root,
  roots: ['contract', 'harness', 'golden'].map((folder) => `${root}/${folder}`).filter((folder) => existsSync(folder)),
  testMatch: ['**/*.spec.ts'],
};
