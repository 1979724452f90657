import { type AppWish, Component, type ManifestObject, type Plan, type RunIntent } from '@strata/model';
import { type AppKnown, type BundleContent, plan } from '@strata/planner';
import type { z } from 'zod';
import { intentOf, nodesOf, requestOf, specOf } from '@strata/planner/testing';
import { Fleet } from './fleet';

type ComponentInput = z.input<typeof Component>;

/** A plan, on machines that were brought to where it begins. */
export interface Scenario {
  name: string;
  machines: string[];
  kind?: 'kubernetes' | 'k3s';
  prepare(fleet: Fleet): Promise<Plan>;
  /** What happens outside while it runs. */
  meanwhile?(fleet: Fleet): void;
}
const machines = ['n1', 'n2', 'n3'];
const enrolled = new Map(machines.map((name) => [name, `id-${name}`]));
const spec = (nodes: number): ReturnType<typeof specOf> =>
  specOf({ nodes: nodesOf(nodes), native: { packages: ['gcc'], dns: { servers: ['10.0.0.2'] }, ssh: { authorizedKeys: ['ssh-ed25519 AAAA ops'] } } });
/** What installs so many nodes, by what the machines are now and the agents that are there. */
export const installOf = async (fleet: Fleet, nodes: number, agents: readonly string[] = []): Promise<Plan> =>
  plan(requestOf(spec(nodes), { facts: await fleet.facts(), enrolled: new Map([...enrolled].filter(([name]) => agents.includes(name))) }));
/** What takes a cluster of so many nodes back, with the agents that are there. */
export const uninstallOf = async (fleet: Fleet, nodes: number, agents: readonly string[] = machines): Promise<Plan> => {
  const there = new Map([...enrolled].filter(([name]) => agents.includes(name)));
  return plan(requestOf(spec(nodes), { facts: await fleet.facts(), enrolled: there, intent: intentOf('uninstall') }));
};
async function installed(fleet: Fleet, nodes: number): Promise<void> {
  const view = await fleet.run(await installOf(fleet, nodes));
  if (view.result !== 'done') throw new Error(`the install ahead of it ended ${view.result}: ${view.because}`);
}

const k3s = specOf({ nodes: nodesOf(2), distribution: { kind: 'k3s' } });
const k3sOf = async (fleet: Fleet, rest: Parameters<typeof requestOf>[1] = {}): Promise<Plan> => plan(requestOf(k3s, { facts: await fleet.facts(), ...rest }));

const component = (of: ComponentInput, objects: ManifestObject[] = []): BundleContent['components'][number] => ({
  component: Component.parse(of),
  objects,
  digest: 'chart' in of ? 'a'.repeat(64) : null,
});
const seal = { apiVersion: 'seals.x/v1', kind: 'Seal', metadata: { name: 'one', namespace: 'default', labels: { sealed: 'yes' } } };
const sealed = { resource: { apiVersion: seal.apiVersion, kind: seal.kind, name: 'one', namespace: 'default', field: 'metadata.labels.sealed', is: 'yes' } };
const shop: BundleContent = {
  version: '1.0.0',
  images: [],
  components: [
    component({ name: 'note', kind: 'manifests', manifests: ['manifests/note.yaml'] }, [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'note', namespace: 'default' } }]), // prettier-ignore
    component({ name: 'seals', kind: 'operator', chart: 'charts/seals', gates: [sealed] }, [seal]),
    component({ name: 'web', kind: 'application', chart: 'charts/web', namespace: 'shop', needs: ['note', 'seals'] }),
  ],
};

const office: BundleContent = {
  version: '1.0.0',
  images: [{ name: 'image-web', version: '1.0' }],
  components: [component({ name: 'db', kind: 'application', chart: 'charts/db', namespace: 'office' })],
};
const fences: BundleContent = { version: '1.0.0', images: [], components: [component({ name: 'fences', kind: 'manifests', manifests: ['manifests/fences.yaml'], provides: ['network-policy'] })] }; // prettier-ignore
const fenced = specOf({ nodes: nodesOf(1), bundles: ['fences'] });
const alices = { name: 'db', namespace: 'user-alice' };
/** A plan about alice's database, as far as `known` tells of it. */
async function appOf(fleet: Fleet, kind: RunIntent['kind'], { wish = {}, known = null }: { wish?: Partial<AppWish>; known?: Partial<AppKnown> | null } = {}): Promise<Plan> {
  const app = known && { revision: 1, revisions: [1], proven: [1], alike: [1], good: 1, made: { bundle: 'office', component: 'db', version: '1.0.0', given: {} }, stopped: false, ...known };
  const intent = { ...intentOf(kind), app: { ...alices, ...wish } };
  return plan(requestOf(fenced, { id: kind, facts: await fleet.facts(), enrolled: new Map([['n1', 'id-n1']]), bundles: { office, fences }, intent, app }));
} // prettier-ignore
/** A cluster in which these plans were carried out, one after the other. */
async function withApps(fleet: Fleet, ...plans: ((fleet: Fleet) => Promise<Plan>)[]): Promise<void> {
  const all = [async () => plan(requestOf(fenced, { facts: await fleet.facts(), bundles: { office, fences } })), ...plans];
  for (const make of all) {
    const view = await fleet.run(await make(fleet));
    if (view.result !== 'done') throw new Error(`what is ahead of it ended ${view.result}: ${view.because}`);
  }
}
const installApp = (fleet: Fleet): Promise<Plan> => appOf(fleet, 'install-app', { wish: { bundle: 'office', component: 'db', values: { size: 1 } } });
const upgradeApp = (fleet: Fleet): Promise<Plan> => appOf(fleet, 'upgrade-app', { wish: { values: { size: 2 } }, known: {} });
const stopApp = (fleet: Fleet): Promise<Plan> => appOf(fleet, 'stop-app', { known: {} });
const appScenario = (name: string, ahead: ((fleet: Fleet) => Promise<Plan>)[], make: (fleet: Fleet) => Promise<Plan>): Scenario => ({
  name,
  machines: ['n1'],
  prepare: async (fleet) => {
    await withApps(fleet, ...ahead);
    return make(fleet);
  },
});

/** Every kind of plan. */
export const scenarios: readonly Scenario[] = [
  { name: 'install, one node', machines: ['n1'], prepare: (fleet) => installOf(fleet, 1) },
  {
    name: 'install, with a bundle of every kind of component',
    machines: ['n1', 'n2'],
    prepare: async (fleet) => plan(requestOf(specOf({ nodes: nodesOf(2), bundles: ['shop'] }), { facts: await fleet.facts(), bundles: { shop } })),
  },
  { name: 'install, three nodes', machines, prepare: (fleet) => installOf(fleet, 3) },
  {
    name: 'install again over what is there',
    machines: ['n1', 'n2'],
    prepare: async (fleet) => {
      await installed(fleet, 2);
      return plan(requestOf(spec(2), { facts: await fleet.facts(), enrolled }));
    },
  },
  {
    name: 'install, one node by SSH and one that comes with the join command',
    machines: ['n1', 'n2'],
    prepare: async (fleet) => {
      const mixed = specOf({ nodes: [...nodesOf(1), { name: 'n2', join: 'token' }] });
      return plan(requestOf(mixed, { facts: await fleet.facts() }));
    },
    meanwhile: (fleet) => fleet.sim.time.after(7_000, () => fleet.sim.enroll('n2')),
  },
  {
    name: 'add a node',
    machines,
    prepare: async (fleet) => {
      await installed(fleet, 2);
      return plan(requestOf(spec(3), { facts: await fleet.facts(), enrolled: new Map([...enrolled].slice(0, 2)), intent: intentOf('add-node', ['n3']) }));
    },
  },
  {
    name: 'remove a node',
    machines,
    prepare: async (fleet) => {
      await installed(fleet, 3);
      return plan(requestOf(spec(3), { facts: await fleet.facts(), enrolled, intent: intentOf('remove-node', ['n3']) }));
    },
  },
  {
    name: 'uninstall',
    machines: ['n1', 'n2'],
    prepare: async (fleet) => {
      await installed(fleet, 2);
      return uninstallOf(fleet, 2);
    },
  },
  {
    name: 'install with a shared file system',
    machines: ['n1', 'n2'],
    prepare: async (fleet) => plan(requestOf(specOf({ nodes: nodesOf(2), storage: { kind: 'juicefs' } }), { facts: await fleet.facts() })),
  },
  {
    name: 'install with metadata of somebody else',
    machines: ['n1', 'n2'],
    prepare: async (fleet) => {
      const metadata = { kind: 'external', url: 'postgres://strata@db.example/strata', passwordFrom: 'env:P' } as const;
      return plan(requestOf(specOf({ nodes: nodesOf(2), storage: { kind: 'juicefs', metadata } }), { facts: await fleet.facts() }));
    },
  },
  { name: 'install with K3s', machines: ['n1', 'n2'], kind: 'k3s', prepare: (fleet) => k3sOf(fleet) },
  {
    name: 'uninstall K3s',
    machines: ['n1', 'n2'],
    kind: 'k3s',
    prepare: async (fleet) => {
      const view = await fleet.run(await k3sOf(fleet));
      if (view.result !== 'done') throw new Error(`the install ahead of it ended ${view.result}: ${view.because}`);
      return k3sOf(fleet, { enrolled, intent: intentOf('uninstall') });
    },
  },
  appScenario('install an application of a user', [], installApp),
  appScenario('upgrade an application that is stopped', [installApp, stopApp], upgradeApp),
  appScenario('roll an application back', [installApp, upgradeApp], (fleet) =>
    appOf(fleet, 'rollback-app', { known: { revision: 2, revisions: [1, 2], proven: [1, 2], alike: [2], good: 2 } }),
  ),
  appScenario('stop an application', [installApp], stopApp),
  appScenario('start an application', [installApp, stopApp], (fleet) => appOf(fleet, 'start-app', { known: { stopped: true } })),
  appScenario('restart an application', [installApp], (fleet) => appOf(fleet, 'restart-app', { known: {} })),
  appScenario('remove an application', [installApp], (fleet) => appOf(fleet, 'remove-app', { wish: { deleteData: true, deleteNamespace: true }, known: {} })),
];
