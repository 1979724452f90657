import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

const root = resolve(__dirname, '../..');
const text = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('the tree of DESIGN section 6', () => {
  test.each([
    'package.json', 'nx.json', 'eslint.config.mjs', 'docker-compose.yml', 'strata', '.ci/run', 'README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md',
    'apps', 'libs', 'proto/strata/agent/v1', 'prisma/schema.prisma', 'prisma/migrations', 'catalog/recipes', 'bundles', 'docs/adr', 'bench/yardstick',
    'test/golden', 'test/contract', 'test/scenario', 'test/lab', 'test/fixtures',
  ])('has %s', (path) => expect(existsSync(join(root, path))).toBe(true)); // prettier-ignore

  test.each(['libs', 'apps'])('every folder of %s is a project with one tag, a typecheck, a lint and a test', (folder) => {
    for (const name of readdirSync(join(root, folder))) {
      const pkg = JSON.parse(text(`${folder}/${name}/package.json`)) as { name: string; nx: { tags: string[]; targets: object } };
      expect([pkg.name, pkg.nx.tags]).toEqual([`@strata/${name}`, [`${folder === 'libs' ? 'lib' : 'app'}:${name}`]]);
      expect(Object.keys(pkg.nx.targets)).toEqual(expect.arrayContaining(['build', 'lint', 'typecheck', 'test']));
    }
  });
  test('what a stranger runs can be run', () => {
    for (const program of ['strata', '.ci/run']) expect(statSync(join(root, program)).mode & 0o111).toBe(0o111);
    const scripts = (JSON.parse(text('package.json')) as { scripts: Record<string, string> }).scripts;
    for (const script of ['quickstart', 'test', 'test:faults']) expect(existsSync(join(root, (scripts[script] ?? '').split(' ')[1] ?? 'none'))).toBe(true);
    expect(text('README.md')).toContain('npm run quickstart');
    expect(text('.ci/run')).toContain('npm test');
  });
});

interface Compose {
  services: Record<
    string,
    { build?: { dockerfile: string }; image?: string; ports?: string[]; environment?: Record<string, string>; secrets?: string[]; networks?: string[] }
  >;
  secrets: Record<string, { file: string }>;
  networks: Record<string, { internal?: boolean }>;
}
describe('docker-compose.yml', () => {
  const compose = parse(text('docker-compose.yml')) as Compose;
  test('builds server, postgres and redis from files that exist', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['postgres', 'redis', 'server']);
    for (const service of Object.values(compose.services)) {
      const dockerfile = service.build?.dockerfile ?? '';
      expect(existsSync(join(root, dockerfile))).toBe(true);
      for (const [, from = ''] of text(dockerfile).matchAll(/^COPY (?!--from)(?:--\S+ )*(\S+) /gm)) expect(existsSync(join(root, from))).toBe(true);
    }
  });
  test('databases publish no port and sit on a network without a way out', () => {
    for (const name of ['postgres', 'redis']) {
      expect(compose.services[name]?.ports).toBeUndefined();
      expect(compose.services[name]?.networks).toEqual(['databases']);
    }
    expect(compose.networks.databases?.internal).toBe(true);
  });
  test('passwords come from secret files that git does not keep', () => {
    for (const { file } of Object.values(compose.secrets)) expect(file.startsWith('docker/secrets/')).toBe(true);
    expect(text('.gitignore')).toContain('docker/secrets/');
    for (const service of Object.values(compose.services))
      for (const [key, value] of Object.entries(service.environment ?? {}))
        if (/PASSWORD|SECRET|URL/.test(key)) expect([key.endsWith('_FILE'), value.startsWith('/run/secrets/')]).toEqual([true, true]);
  });
  test('make-secrets.sh makes exactly the files that the services name', () => {
    const script = text('docker/make-secrets.sh');
    for (const { file } of Object.values(compose.secrets)) expect(script).toContain(file.split('/').at(-1));
  });
});
