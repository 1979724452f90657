import { artifactKey, type CatalogEntry } from '@strata/model';
import { agentInstall, artifactObtain, nativeTasks, taskNamed } from '@strata/tasks';
import { bundles } from './bundles';
import { entryOf, type PlanContext, type PlannedNode } from './context';
import type { Distribution, NodeLines } from './distribution';
import { basePackages, openPorts, sysctlSettings, trusted } from './native-settings';
import { precheckSteps } from './prechecks';
import { artifact, obtaining, type Line, type Steps } from './steps';

/**
 * THE LIST: what an install does, from top to bottom. Each node walks it by itself; a step waits for the one above it on its own line
 * and for what it names, never for all nodes. Adding a native task is one line here.
 */
export function install(on: Steps, c: PlanContext, d: Distribution): void {
  on.phase('download');
  for (const a of wanted(c, d)) obtain(on, a);

  for (const n of c.nodes) d.node(on, c, machine(on, n, { c, d }));

  d.cluster(on, c);
  bundles(on, c, d);
}

/** One machine, from a stranger to one that can run containers. */
export function machine(on: Steps, n: PlannedNode, { c, d }: { c: PlanContext; d: Distribution }): NodeLines {
  const { native, storage } = c.spec;
  const begin = on.line(n.name);

  on.phase('precheck');
  // side by side: whoever is told of one thing that is wrong is told of all
  if (n.spec.join === 'token') begin.after(...precheckSteps(c.whole, n.name, c).map((look) => begin.fork().step(taskNamed(look.task), look.input)));

  on.phase('prepare');
  if (n.spec.ssh) begin.step(agentInstall, { node: n.name });
  begin.step(nativeTasks.kernelModules, { modules: ['overlay', 'br_netfilter', 'nf_conntrack', ...(c.spec.network.backend === 'vxlan' ? ['vxlan'] : [])] });

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
  if (native.ntp.enabled) system.step(nativeTasks.ntpConfigure, { servers: native.ntp.servers });
  system.step(nativeTasks.sshdConfigure, { authorizedKeys: native.ssh.authorizedKeys, passwordLogin: native.ssh.passwordLogin });
  if (native.firewall === 'open-ports') system.step(nativeTasks.firewallOpen, { ports: openPorts(c, n), ...trusted(c) });
  system.step(nativeTasks.localfsLayout, { path: storage.path });

  const images = begin.fork();
  const runtime = begin.fork();
  if (d.ownRuntime) {
    fetch(runtime, 'runtime', ['runc', 'containerd', 'cni-plugins']);
    runtime.step(nativeTasks.runcInstall, { artifact: artifact('runc') });
    runtime.step(nativeTasks.cniInstall, { archive: artifact('cni-plugins') });
    runtime.step(nativeTasks.containerdInstall, {
      archive: artifact('containerd'), version: entryOf(c.catalog, 'containerd').version, pauseImage: d.pauseImage(c), restrictOomScore: !n.can.lowerOomScore,
      systemdCgroup: true,
      foreign: native.containerd.foreign,
    }); // prettier-ignore

    images.after(runtime);
    for (const { as, images: refs } of d.images(c, n)) {
      const names = refs.map((a) => a.name);
      const arrived = begin.fork();
      fetch(arrived, as, names);
      images.step(
        nativeTasks.imagesImport,
        { images: names.map(artifact) },
        { as, needs: [arrived], title: `${names.length} images (${as}) are in the container runtime` },
      );
    }
  }
  return { node: n, begin, system, runtime, images };
}

/** The catalog entries that the cluster needs, each once. */
export function wanted(c: PlanContext, d: Distribution): CatalogEntry[] {
  const all = [...d.artifacts(c), ...c.bundles.flatMap((b) => b.content.images.map((i) => entryOf(c.catalog, i.name, i.version)))];
  return [...new Map(all.map((a) => [artifactKey(a), a])).values()];
}
export function obtain(on: Steps, a: CatalogEntry): void {
  on.line(null).step(artifactObtain, { name: a.name, version: a.version }, { as: a.name, title: `${a.name} ${a.version} is in the store` });
}
/** The node takes artifacts from the server as soon as the server has them. */
export function fetch(line: Line, as: string, names: readonly string[]): void {
  line.step(
    nativeTasks.artifactsFetch,
    { artifacts: names.map(artifact) },
    { as, needs: obtaining(names), title: `${names.length} artifacts (${as}) are on the node` },
  );
}
const hostEntries = (c: PlanContext, n: PlannedNode): { address: string; names: string[] }[] => [
  { address: c.controlPlane.address, names: [c.names.api, c.names.meta, c.names.objects] },
  { address: n.address, names: [n.name] },
];
