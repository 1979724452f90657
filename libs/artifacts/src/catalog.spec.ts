import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { kubernetesComponents, knownKubernetesVersions } from '@strata/model';
import { findEntry, loadCatalog } from './catalog';
import { loadLayers, loadRecipe } from './recipe';
import { ArtifactStore } from './store';

const shipped = resolve(__dirname, '../../../catalog');
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'catalog-'));
});
afterEach(() => rm(dir, { recursive: true }));
const load = (at = dir) => loadCatalog(at, new ArtifactStore(join(dir, 'store')));

describe('the shipped catalog', () => {
  it('has everything that each known Kubernetes wants, under the names that its kubeadm prints', async () => {
    const catalog = await load(shipped);
    for (const version of knownKubernetesVersions) {
      const { images, etcd, coredns, pause } = kubernetesComponents(version);
      for (const [name, ref] of Object.entries(images)) {
        const of = { etcd, coredns, pause }[name] ?? version;
        expect(findEntry(catalog, `image-${name}`, of).ref).toBe(ref);
      }
      for (const name of ['kubeadm', 'kubelet', 'kubectl']) findEntry(catalog, name, version);
    }
    expect(findEntry(catalog, 'image-flannel').ref).toBe('strata.local/flannel:v0.28.10');
    expect(findEntry(catalog, 'image-web', '1.0').ref).toBe('strata.local/web:1');
  });

  it('names only recipes that make the artifact, with pinned inputs for the version and known layers', async () => {
    const { entries } = await load(shipped);
    const layers = await loadLayers(shipped);
    for (const entry of entries) {
      for (const source of entry.sources) {
        if (source.from !== 'recipe') continue;
        const output = (await loadRecipe(shipped, source.recipe, entry.version)).outputs[entry.name];
        expect([entry.name, output?.kind]).toEqual([entry.name, entry.kind]);
        if (output?.kind === 'image') for (const layer of output.layers) if (typeof layer === 'string') expect(layers).toHaveProperty(layer);
      }
    }
  });

  it('has recipes that are aligned require one version of what they have in common, as their first versions', async () => {
    const { entries } = await load(shipped);
    const modules = new Map<string, string>();
    for (const entry of new Map([...entries].reverse().map((e) => [e.name, e])).values())
      for (const source of entry.sources)
        if (source.from === 'recipe')
          for (const { aligned, module } of (await loadRecipe(shipped, source.recipe, entry.version)).go) if (aligned && module) modules.set(module, aligned);
    const required: Record<string, string[]> = {};
    for (const [module, word] of modules) {
      const text = await readFile(join(shipped, 'recipes', module, 'go.mod'), 'utf8');
      for (const [, path = '', version = ''] of text.matchAll(/^(?:require)?\s+(\S+\.\S+\/\S+) (v\S+)/gm))
        (required[`${path} of ${word}`] ??= []).push(version);
    }
    expect(required['k8s.io/client-go of kubernetes']?.length).toBeGreaterThan(5);
    expect(Object.entries(required).filter(([, versions]) => new Set(versions).size > 1)).toEqual([]); // tools/align-recipes.mjs mends it
  });

  it('says which versions there are for one that is not', async () => {
    const catalog = await load(shipped);
    expect(() => findEntry(catalog, 'kubelet', '1.2.3')).toThrow('It has: 1.37.2, 1.36.3');
    expect(() => findEntry(catalog, 'kublet')).toThrow('no artifact kublet');
    await expect(loadRecipe(shipped, 'kubernetes', '1.2.3')).rejects.toThrow('no pinned inputs for version 1.2.3');
  });
});

describe('loadCatalog', () => {
  it('gives the same digest for the same content only', async () => {
    await cp(join(shipped, 'web.yaml'), join(dir, 'web.yaml'));
    const first = await load();
    expect((await load()).digest).toBe(first.digest);
    await cp(join(shipped, 'helm.yaml'), join(dir, 'helm.yaml'));
    expect((await load()).digest).not.toBe(first.digest);
  });

  it.each([
    ['artifacts:\n  - name: x\n    versions: [v1.0]\n', /a\.yaml:3:16: artifacts\.0\.versions\.0: must be a version/],
    ['artifacts:\n  - name: x\n    name: y\n', /a\.yaml:3:5: Map keys must be unique/],
    ['artifacts: [\n', /a\.yaml:\d+:\d+: /],
    ['artefacts: []\n', /a\.yaml:1:1: document: .*artefacts/],
  ])('says file, line and column of %j', async (text, expected) => {
    await writeFile(join(dir, 'a.yaml'), text);
    await expect(load()).rejects.toThrow(expected);
  });

  it('refuses the same artifact twice', async () => {
    await cp(join(shipped, 'web.yaml'), join(dir, 'a.yaml'));
    await cp(join(shipped, 'web.yaml'), join(dir, 'b.yaml'));
    await expect(load()).rejects.toThrow('image-web@1.0 is also in a.yaml');
  });
});
