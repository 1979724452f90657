import { type CatalogEntry, labelsOf } from '@strata/model';
import {
  artifactsFetch, k3sAgent, k3sConfigure, k3sInstall, k3sServer, k3sToken, k3sTokenRetire, kubeconfigKeep, kubernetesNodeReady, kubernetesNodeSettings,
  networkReady, nodeAddresses,
} from '@strata/tasks'; // prettier-ignore
import { entryOf, type PlanContext, type PlannedNode } from './context';
import { kubeletConstraints, proxySettings } from './demands';
import type { Distribution, NodeLines } from './distribution';
import { PlanRefused } from './refused';
import { artifact, obtaining, type Steps } from './steps';

const keep = 'cluster/kubeconfig.keep';
const names = ['k3s', 'k3s-airgap-images'];

/** K3s: one program with its own container runtime and network. @throws PlanRefused for a version that the catalog does not have, and for bundles. */
export function k3s(c: PlanContext): Distribution {
  const { version } = entryOf(c.catalog, 'k3s', c.spec.distribution.version);
  const own: CatalogEntry[] = names.map((name) => entryOf(c.catalog, name, version));
  if (c.bundles.length > 0)
    throw new PlanRefused(
      'k3s.bundles',
      'bundles on K3s are not supported yet: their images cannot be brought into its own container runtime',
      'leave spec.bundles empty, or set spec.distribution.kind: kubernetes',
    );
  const controlPlane = c.controlPlane.name;
  return {
    version,
    ownRuntime: false,
    artifacts: () => own,
    images: () => [],
    pauseImage: () => '',
    networkReady: 'cluster/network.ready',
    nodeReady: (name) => `${name}/kubernetes.node-ready`,

    node(on, _, lines) {
      if (lines.node.role === 'control-plane') server(on, lines);
      else agent(on, lines);
      onceJoined(on, lines.node);
    },
    known: () => undefined,
    cluster(on) {
      on.phase('install');
      on.line(null, keep).step(networkReady, { workloads: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'coredns', namespace: 'kube-system' }] });
    },
  };

  /** What servers and agents have in common, up to the point where K3s may start. */
  function configured(on: Steps, { node: n, begin, system }: NodeLines): ReturnType<Steps['line']> {
    on.phase('prepare');
    const line = begin.fork();
    line.step(artifactsFetch, { artifacts: names.map(artifact) }, { as: 'k3s', needs: obtaining(names), title: '2 artifacts (k3s) are on the node' });
    line.step(k3sInstall, { binary: artifact('k3s'), images: artifact('k3s-airgap-images') });
    on.phase('install');
    const { podCidr, serviceCidr, backend } = c.spec.network;
    const sans = [c.names.api, c.controlPlane.address, ...c.spec.apiSANs];
    line.step(k3sConfigure, {
      node: { name: n.name, address: n.address }, endpoint: c.names.api, ...severalAddresses(n), kubelet: kubeletConstraints(n, c.spec), proxy: proxySettings(c.nodes),
      outside: { proxy: c.outside.proxy, mirrors: c.spec.native.containerd.mirrors },
      ...(n.role === 'control-plane' ? { server: { cluster: c.cluster, version, podCidr, serviceCidr, backend, sans } } : {}),
    }); // prettier-ignore
    return line.after(system);
  }
  function server(on: Steps, lines: NodeLines): void {
    const line = configured(on, lines);
    line.step(k3sServer, { cluster: c.cluster, address: lines.node.address, endpoint: c.names.api });
    on.line(null, line).step(kubeconfigKeep, { kubeconfig: { $secret: `output:${controlPlane}/k3s.server#kubeconfig` } });
  }
  function agent(on: Steps, lines: NodeLines): void {
    const { name } = lines.node;
    const line = configured(on, lines);
    const token = on
      .line(controlPlane, ...(c.there ? [] : [`${controlPlane}/k3s.server`]), line)
      .step(k3sToken, { node: name }, { as: name, title: `There is a token for ${name} to join with` });
    line.step(k3sAgent, { token: { $secret: `output:${controlPlane}/k3s.token@${name}#token` }, endpoint: c.names.api }, { needs: [token] });
    on.line(controlPlane, line).step(k3sTokenRetire, { node: name }, { as: name, title: `The token of ${name} is worth nothing any more` });
  }
  function onceJoined(on: Steps, n: PlannedNode): void {
    const joined = n.role === 'control-plane' ? [keep] : [`${n.name}/k3s.agent`, ...(c.there ? [] : [keep])];
    const labels = { [`node-role.kubernetes.io/${n.role}`]: n.role === 'control-plane' ? 'true' : '', ...labelsOf(n.spec) }; // K3s itself says "true"
    const line = on.line(n.name, ...joined).step(kubernetesNodeReady, { node: n.name });
    line.step(kubernetesNodeSettings, { node: n.name, labels, taints: n.spec.taints });
  }
}
/** Flannel inside K3s takes the interface of the default route unless it is told. */
function severalAddresses(n: PlannedNode): { flannelInterface?: string } {
  const own = nodeAddresses(n.facts);
  const chosen = own.find((a) => a.address === n.address)?.interface;
  return own.length > 1 && chosen !== undefined ? { flannelInterface: chosen } : {};
}
