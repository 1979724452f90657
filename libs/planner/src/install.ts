import { artifactKey, type CatalogEntry, type Outside, sharedStorage } from '@strata/model';
import { agentInstall, artifactObtain, nativeTasks, taskNamed } from '@strata/tasks';
import { bundleArtifacts, bundles } from './bundles';
import { entryOf, type PlanContext, type PlannedNode } from './context';
import type { Distribution, NodeLines } from './distribution';
import { fetch } from './fetch';
import { basePackages, dataKinds, heldPackages, openPorts, sysctlSettings, trusted } from './native-settings';
import { osPackages, packagesFirst } from './os-packages';
import { precheckSteps } from './prechecks';
import { artifact, type Steps } from './steps';
import { authorityOn, metadataAside, outsideFirst, storage, storageAddress, storageArtifacts, volumesClass } from './storage';
import { tunnelEnd } from './tunnel';

/**
 * THE LIST: what an install does, from top to bottom. Each node walks it by itself; a step waits for the one above it on its own line
 * and for what it names, never for all nodes. Adding a native task is one line here.
 */
export function install(on: Steps, c: PlanContext, d: Distribution): void {
  on.phase('download');
  for (const a of wanted(c, d)) obtain(on, a, c);
  authorityOn(on, sharedStorage(c.spec));

  for (const n of c.nodes) d.node(on, c, machine(on, n, { c, d }));

  d.cluster(on, c);
  volumesClass(on, c, [d.networkReady]);
  bundles(on, c, d);
}

/** One machine, from a stranger to one that can run containers. */
export function machine(on: Steps, n: PlannedNode, { c, d }: { c: PlanContext; d: Distribution }): NodeLines {
  const { native } = c.spec;
  const begin = on.line(n.name);

  on.phase('precheck');
  // side by side: whoever is told of one thing that is wrong is told of all
  if (n.spec.join === 'token') begin.after(...precheckSteps(c.whole, n.name, c).map((look) => begin.fork().step(taskNamed(look.task), look.input)));

  on.phase('prepare');
  if (n.spec.ssh) begin.step(agentInstall, { node: n.name });
  outsideFirst(begin, n, c);
  metadataAside(begin, n, c);
  begin.step(nativeTasks.kernelModules, { modules: ['overlay', 'br_netfilter', 'nf_conntrack', ...(c.spec.network.backend === 'vxlan' ? ['vxlan'] : [])] });

  if (native.dataDir !== undefined) begin.step(nativeTasks.dataPlace, { dataDir: native.dataDir, kinds: dataKinds(n, d.ownRuntime) });
  packagesFirst(begin, n, c);
  begin.step(nativeTasks.outsideConfigure, { ...c.outside, apt: native.apt, ...(native.packagesFrom === 'server' ? { packagesFrom: 'server' } : {}) }); // ahead of the first package

  const system = begin.fork();
  if (n.spec.hostname === 'set') system.step(nativeTasks.hostnameSet, { name: n.name });
  system.step(nativeTasks.hostsBlock, { entries: hostEntries(c, n) });
  system.step(nativeTasks.kernelSysctl, { settings: sysctlSettings(n) });
  system.step(nativeTasks.limitsConfigure, { nofile: Math.min(1_048_576, n.facts.nofile) });
  system.step(nativeTasks.journaldConfigure, { maxUseMb: 500 });
  system.step(nativeTasks.swapPolicy, { policy: native.swap });
  if (native.dns.servers.length + native.dns.search.length > 0)
    system.step(nativeTasks.dnsConfigure, { servers: native.dns.servers, search: native.dns.search });
  system.step(nativeTasks.packagesInstall, { packages: basePackages(c, n) });
  system.step(nativeTasks.upgradesHold, { packages: heldPackages(n) });
  if (native.ntp.enabled) system.step(nativeTasks.ntpConfigure, { servers: native.ntp.servers });
  system.step(nativeTasks.sshdConfigure, { authorizedKeys: native.ssh.authorizedKeys, passwordLogin: native.ssh.passwordLogin });
  if (native.firewall === 'open-ports') system.step(nativeTasks.firewallOpen, { ports: openPorts(c, n), ...trusted(c) });
  tunnelEnd(system, n, c);
  storage(on, system, { n, c });

  const images = begin.fork();
  const runtime = begin.fork();
  if (d.ownRuntime) {
    fetch(runtime, 'runtime', ['runc', 'containerd', 'cni-plugins']);
    const place = n.runtime === 'own' ? {} : { place: n.runtime };
    runtime.step(nativeTasks.runcInstall, { artifact: artifact('runc'), ...place });
    runtime.step(nativeTasks.cniInstall, { archive: artifact('cni-plugins'), ...place });
    runtime.step(nativeTasks.containerdInstall, {
      archive: artifact('containerd'), version: entryOf(c.catalog, 'containerd').version, pauseImage: d.pauseImage(c), restrictOomScore: !n.can.lowerOomScore,
      systemdCgroup: true,
      foreign: native.containerd.foreign, ...place, ...imagesFrom(c),
    }); // prettier-ignore

    images.after(runtime);
    for (const { as, images: refs } of d.images(c, n)) {
      const names = refs.map((a) => a.name);
      const arrived = begin.fork();
      fetch(arrived, as, names);
      images.step(
        nativeTasks.imagesImport,
        { images: names.map(artifact), ...place },
        { as, needs: [arrived], title: `${names.length} images (${as}) are in the container runtime` },
      );
    }
  }
  return { node: n, begin, system, runtime, images };
}

/** What our containerd is told of the outside; nothing where the spec says nothing. */
function imagesFrom({ outside: { proxy }, spec }: PlanContext): { proxy?: NonNullable<Outside['proxy']>; mirrors?: Record<string, string[]> } {
  const { mirrors } = spec.native.containerd;
  return { ...(proxy ? { proxy } : {}), ...(Object.keys(mirrors).length > 0 ? { mirrors } : {}) };
}

/** The catalog entries that the cluster needs, each once. */
export function wanted(c: PlanContext, d: Distribution): CatalogEntry[] {
  const all = [...d.artifacts(c), ...storageArtifacts(c), ...bundleArtifacts(c), ...c.nodes.flatMap((n) => osPackages(c, n) ?? [])];
  return [...new Map(all.map((a) => [artifactKey(a), a])).values()];
}
/** An entry comes into the store. From others than its vendor only where the spec allows it, and then the plan names them. */
export function obtain(on: Steps, a: CatalogEntry, { spec }: Pick<PlanContext, 'spec'>): void {
  const others = spec.artifacts.allowUnofficial ? a.sources.flatMap((s) => (s.from === 'recipe' && s.unofficial ? [s.publisher] : [])) : [];
  const allowed = others.length > 0;
  const title = `${a.name} ${a.version} is in the store${allowed ? `; it may come from ${others.join(', ')}` : ''}`;
  on.line(null).step(artifactObtain, { name: a.name, version: a.version, ...(allowed ? { unofficial: true } : {}) }, { as: a.name, title });
}
/** The services' names point to the nodes that they run on, each address on one line. */
export function hostEntries(c: PlanContext, n: PlannedNode): { address: string; names: string[] }[] {
  const { api, meta, objects } = c.names;
  const at = new Map<string, string[]>();
  for (const [address, name] of [[c.controlPlane.address, api], [storageAddress(c, 'metadata'), meta], [storageAddress(c, 'objects'), objects]] as const)
    at.set(address, [...(at.get(address) ?? []), name]);
  return [...[...at].map(([address, names]) => ({ address, names })), { address: n.address, names: [n.name] }];
} // prettier-ignore
