import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Component, knownKubernetesVersions, kubernetesComponents } from '@strata/model';
import { type BundleContent, plan, type PlanRequest, renderPlan } from '@strata/planner';
import { bareMetal, factsOf, intentOf, labNode, lxc, nodesOf, requestOf as request, specOf } from '@strata/planner/testing';
import { catalog, demoBundle } from './on-disk';

/** A changed plan is reviewed as a changed text. `UPDATE_GOLDEN=1` writes them anew. */
const folder = __dirname;
const requestOf: typeof request = (spec, over) => request(spec, { catalog: catalog(), bundles, ...over });
const bundles: Record<string, BundleContent> = {};
beforeAll(async () => void (bundles['demo'] = await demoBundle()));
const three = specOf({ nodes: nodesOf(3), bundles: ['demo'] });
const enrolled = new Map([['n1', 'id-1'], ['n2', 'id-2'], ['n3', 'id-3']]); // prettier-ignore
const withReplica = { kind: 'juicefs', metadata: { node: 'n2', replica: 'n3' }, objects: { node: 'n1' } } as const;
const withExternal = { kind: 'juicefs', metadata: { kind: 'external', url: 'postgres://strata@db.example:5432/strata', passwordFrom: 'prompt' } } as const;

const chart = (of: Parameters<typeof Component.parse>[0]): BundleContent => ({ version: '1.0.0', images: [{ name: 'image-web', version: '1.0' }], components: [{ component: Component.parse(of), objects: [], digest: 'a'.repeat(64) }] }); // prettier-ignore
const office = chart({
  name: 'db',
  kind: 'application',
  chart: 'charts/db',
  namespace: 'office',
  gates: [{ http: { service: 'db', namespace: 'office', port: 80 } }],
});
const fences = chart({ name: 'fences', kind: 'chart', chart: 'charts/fences', provides: ['network-policy', 'ingress'], namespace: 'gate' });

const cases: Record<string, PlanRequest> = {
  'kubernetes-single-node': requestOf(specOf({ nodes: nodesOf(1) })),
  'kubernetes-three-nodes-bare-metal': requestOf(three),
  'kubernetes-three-nodes-lxc': requestOf(three, { facts: factsOf(three, lxc) }),
  'kubernetes-three-nodes-lab': requestOf(three, { facts: factsOf(three, labNode) }),
  'kubernetes-juicefs': requestOf(specOf({ nodes: nodesOf(3), storage: { kind: 'juicefs' }, artifacts: { allowUnofficial: true } })),
  'k3s-three-nodes': requestOf(specOf({ nodes: nodesOf(3), distribution: { kind: 'k3s' } })),
  'kubernetes-old-kernel': requestOf(specOf({ nodes: nodesOf(1) }), { facts: new Map([['n1', bareMetal('10.0.0.11', { kernel: '5.10.0-28-amd64' })]]) }),
  'kubernetes-add-node': requestOf(three, { intent: intentOf('add-node', ['n3']), enrolled }),
  'kubernetes-remove-node': requestOf(three, { intent: intentOf('remove-node', ['n3']), enrolled }),
  'verify-storage': requestOf(specOf({ nodes: nodesOf(3), storage: { kind: 'juicefs' } }), { intent: intentOf('verify-storage'), enrolled }),
  'restore-storage': requestOf(specOf({ nodes: nodesOf(3), storage: { kind: 'juicefs' } }), { intent: intentOf('restore-storage'), enrolled }),
  'kubernetes-juicefs-external': requestOf(specOf({ nodes: nodesOf(2), storage: withExternal, artifacts: { allowUnofficial: true } })),
  'restore-external': requestOf(specOf({ nodes: nodesOf(2), storage: withExternal }), { intent: { ...intentOf('restore-storage'), from: 'current' }, enrolled }),
  'kubernetes-juicefs-replica': requestOf(specOf({ nodes: nodesOf(3), storage: withReplica, artifacts: { allowUnofficial: true } })),
  'drill-storage': requestOf(specOf({ nodes: nodesOf(3), storage: withReplica }), { intent: intentOf('drill-storage'), enrolled }),
  'failover-storage': requestOf(specOf({ nodes: nodesOf(3), storage: withReplica }), { intent: intentOf('failover-storage'), enrolled, absent: ['n2'] }),
  'migrate-storage': requestOf(specOf({ nodes: nodesOf(2), storage: { kind: 'juicefs' } }), { intent: intentOf('migrate-storage', ['n1']), enrolled }),
  'commit-storage': requestOf(specOf({ nodes: nodesOf(2), storage: { kind: 'juicefs' } }), { intent: intentOf('commit-storage', ['n1']), enrolled }),
  'rollback-storage': requestOf(specOf({ nodes: nodesOf(2), storage: { kind: 'juicefs' } }), { intent: intentOf('rollback-storage', ['n1']), enrolled }),
  'kubernetes-uninstall': requestOf(specOf({ nodes: nodesOf(2) }), { intent: intentOf('uninstall'), enrolled }),
  'app-install': requestOf(specOf({ nodes: nodesOf(2), bundles: ['fences'] }), { intent: { ...intentOf('install-app'), app: { name: 'db', namespace: 'user-alice', bundle: 'office', component: 'db', values: { size: 2 } } }, enrolled, bundles: { office, fences }, app: null }),
  'kubernetes-token-node': requestOf(specOf({ nodes: [...nodesOf(1), { name: 'n2', join: 'token' }] }), { facts: new Map([['n1', bareMetal('10.0.0.11')], ['n2', bareMetal('10.0.0.12')]]) }),
}; // prettier-ignore

describe('golden plans', () => {
  for (const [name, request] of Object.entries(cases))
    it(name, () => {
      const path = join(folder, `${name}.plan.txt`);
      const text = renderPlan(plan(request));
      if (process.env.UPDATE_GOLDEN || !existsSync(path)) writeFileSync(path, text);
      expect(text).toBe(readFileSync(path, 'utf8'));
    });
});

describe('the catalog', () => {
  it('has, for each known version of Kubernetes, the images under exactly the names that its kubeadm asks for', () => {
    const { entries } = catalog();
    for (const version of knownKubernetesVersions) {
      const parts = kubernetesComponents(version);
      for (const [name, ref] of Object.entries(parts.images)) expect(entries.some((e) => e.name === `image-${name}` && e.ref === ref)).toBe(true);
      const spec = specOf({ nodes: nodesOf(2), distribution: { kind: 'kubernetes', version } });
      expect(plan(requestOf(spec)).distribution.version).toBe(version);
    }
  });
});
