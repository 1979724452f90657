import { needed } from './needed';
import { packagesToPack } from './os-packages';
import { plan } from './plan';
import { catalogOf, nodesOf, requestOf, specOf } from './testing';

const spec = specOf({ nodes: nodesOf(2), native: { packagesFrom: 'server', packages: ['jq'] } });
const brought = {
  name: 'os-packages-debian-12',
  version: '2026.11.29-abc',
  kind: 'archive' as const,
  approximateSize: 1,
  sources: [{ from: 'mirror' as const, path: 'x' }],
};
const catalog = { ...catalogOf(), entries: [...catalogOf().entries, brought] };

test('packages from the server are fetched and unpacked ahead of the first one that is installed', () => {
  const { steps } = plan(requestOf(spec, { catalog }));
  const at = (key: string): number => steps.findIndex((s) => s.key === key);
  for (const n of ['n1', 'n2']) {
    expect(steps[at(`${n}/packages.source`)]?.needs).toEqual([`${n}/artifacts.fetch@packages`]);
    expect(steps[at(`${n}/outside.configure`)]).toMatchObject({ needs: [`${n}/packages.source`], input: { packagesFrom: 'server' } });
    expect(at(`${n}/packages.install`)).toBeGreaterThan(at(`${n}/outside.configure`));
  }
  expect(steps[at('cluster/artifact.obtain@os-packages-debian-12')]?.input).toMatchObject({ version: brought.version });
});

test('without them the plan is refused before anything is changed; a spec that does not want them is as ever', () => {
  expect(() => plan(requestOf(spec))).toThrow('n1 is Debian 12, and the server has no packages for it');
  expect(
    plan(requestOf(specOf({ nodes: nodesOf(2) }), { catalog })).steps.some((s) => s.key.includes('packages.source') || s.key.includes('os-packages')),
  ).toBe(false);
});

test('an uninstall takes them back where a file ever brought some, whatever the spec says by then', () => {
  const enrolled = new Map([['n1', 'id1'], ['n2', 'id2']]); // prettier-ignore
  const undone = (with_: typeof catalog) =>
    plan(requestOf(specOf({ nodes: nodesOf(2) }), { catalog: with_, enrolled, intent: { kind: 'uninstall', nodes: [], dryRun: false, force: false } })).steps.map((s) => s.key);
  expect(undone(catalog)).toContain('n2/packages.source');
  expect(undone(catalogOf())).not.toContain('n2/packages.source');
}); // prettier-ignore

test('what is to be packed is what a plan obtains, and every package that a machine may be asked for', () => {
  const names = (s: typeof spec): string[] => needed({ spec: s, catalog: catalogOf(), bundles: {}, besides: [], artifacts: [] }).map((e) => `${e.name}@${e.version}`).sort(); // prettier-ignore
  for (const distribution of [{ kind: 'kubernetes' as const }, { kind: 'k3s' as const }]) {
    const plain = specOf({ nodes: nodesOf(2), distribution });
    const obtained = plan(requestOf(plain)).steps.flatMap((s) => (s.task === 'artifact.obtain' ? [s.input as { name: string; version: string }] : []));
    expect(names(plain)).toEqual(obtained.map((a) => `${a.name}@${a.version}`).sort());
  }
  const installed = plan(requestOf(spec, { catalog })).steps.flatMap((s) =>
    s.task === 'packages.install' ? (s.input as { packages: string[] }).packages : [],
  );
  expect(packagesToPack(spec)).toEqual(expect.arrayContaining(installed));
});
