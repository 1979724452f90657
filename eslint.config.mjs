import nx from '@nx/eslint-plugin';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

/** A project with tag `tag` may import itself and only `others`. These are the walls of DESIGN section 6. */
const wall = (tag, ...others) => ({ sourceTag: tag, onlyDependOnLibsWithTags: [tag, ...others.map((o) => `lib:${o}`)] });
const walls = [
  wall('lib:model'),
  wall('lib:tasks', 'model'),
  wall('lib:planner', 'model', 'tasks'),
  wall('lib:run', 'model'),
  wall('lib:queue', 'model', 'run'),
  wall('lib:store', 'model', 'run'),
  wall('lib:wire', 'model', 'run'),
  wall('lib:pki', 'model'),
  wall('lib:artifacts', 'model'),
  wall('lib:host-local', 'model', 'tasks'),
  wall('lib:host-ssh', 'model', 'tasks'),
  wall('lib:cluster', 'model', 'tasks'),
  wall('lib:api-client', 'model', 'run'),
  wall('app:server', 'model', 'tasks', 'planner', 'run', 'queue', 'store', 'wire', 'pki', 'artifacts', 'host-ssh', 'host-local', 'cluster'),
  wall('app:agent', 'model', 'tasks', 'wire', 'pki', 'host-local'),
  wall('app:cli', 'model', 'run', 'api-client', 'artifacts'),
  wall('app:lab', 'model'),
  wall('app:test', 'model', 'tasks', 'planner', 'run', 'queue', 'store', 'wire', 'pki', 'artifacts', 'host-ssh', 'host-local', 'cluster', 'api-client'),
];
/** One outside technology has one edge. */
const edges = {
  bullmq: ['libs/queue'],
  '@nestjs/bullmq': ['libs/queue'],
  '@prisma/client': ['libs/store'],
  '@prisma/adapter-pg': ['libs/store'],
  '@grpc/grpc-js': ['libs/wire'],
  '@grpc/proto-loader': ['libs/wire'],
  ssh2: ['libs/host-ssh'],
  '@kubernetes/client-node': ['libs/cluster'],
  '@peculiar/x509': ['libs/pki'],
};
const pure = ['libs/model', 'libs/tasks', 'libs/planner', 'libs/run'];
const max = (n) => ['error', { max: n, skipBlankLines: true, skipComments: true }];

export default tseslint.config(
  { ignores: ['**/dist/', '**/dist-bundle/', '**/coverage/', '**/node_modules/', '.nx/', '**/gen/', '**/*.config.ts', '**/*.mjs', '**/*.cjs'] },
  ...tseslint.configs.recommendedTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  {
    files: ['**/*.ts', '**/*.tsx'],
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': ['error', { enforceBuildableLibDependency: true, banTransitiveDependencies: false, allow: [], depConstraints: walls }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
      '@typescript-eslint/max-params': ['error', { max: 3 }],
      'max-lines': max(300),
      'no-restricted-syntax': [
        'error',
        {
          selector:
            "CallExpression[callee.object.name='AbortSignal'][callee.property.name='any'] CallExpression[callee.object.name='AbortSignal'][callee.property.name='timeout']",
          message: 'in Node 20 nobody keeps such a time-out alive: after a garbage collection it never fires. Use deadline() of @strata/tasks, or a timer',
        },
      ],
    },
  },
  { files: ['**/*.spec.ts'], rules: { 'max-lines': max(400), '@typescript-eslint/unbound-method': 'off' } },
  {
    files: ['**/*.ts'],
    ignores: [
      '**/*.spec.ts',
      'test/**',
      ...new Set(
        Object.values(edges)
          .flat()
          .map((h) => `${h}/**`),
      ),
      ...pure.map((p) => `${p}/**`),
    ],
    rules: {
      'no-restricted-imports': [
        'error',
        { paths: Object.entries(edges).map(([name, homes]) => ({ name, message: `only ${homes.join()} knows ${name} (DESIGN section 6)` })) },
      ],
    },
  },
  {
    files: pure.map((p) => `${p}/src/**/*.ts`),
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: ['node:*', 'fs', 'path', 'crypto', 'os', 'child_process'], message: 'this library is pure: reach the outside through a port' }] },
      ],
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'this library is pure' },
        { name: 'setTimeout', message: 'this library is pure: time is a port' },
        { name: 'setInterval', message: 'this library is pure' },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'the clock is an argument' },
        { object: 'Math', property: 'random', message: 'randomness is an argument' },
        { object: 'crypto', property: 'randomUUID', message: 'ids are an argument' },
      ],
    },
  },
  prettier,
);
