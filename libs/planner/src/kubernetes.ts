import { type CatalogEntry, kubernetesComponents, knownKubernetesVersions, labelsOf } from '@strata/model';
import {
  certificatesRenew,
  etcdSnapshots,
  flannelDaemonSet,
  kubeconfigKeep,
  kubernetesAddons,
  kubernetesAdmit,
  kubernetesApi,
  kubernetesBinaries,
  kubernetesCa,
  kubernetesCerts,
  kubernetesConfig,
  kubernetesControlPlane,
  kubernetesEncryption,
  kubernetesJoin,
  kubernetesKubeconfigs,
  kubernetesKubeletStart,
  kubernetesKubeletUnit,
  kubernetesNodeReady,
  kubernetesNodeSettings,
  kubernetesSettings,
  networkFlannel,
  networkReady,
  type NodeRegistration,
} from '@strata/tasks';
import { bundleImages } from './bundles';
import { entryOf, type PlanContext, type PlannedNode } from './context';
import { kubeletConstraints, proxySettings } from './demands';
import type { Distribution, NodeLines } from './distribution';
import { fetch } from './fetch';
import { PlanRefused } from './refused';
import { artifact, type Line, type Steps } from './steps';

const keep = 'cluster/kubeconfig.keep';
const flannel = 'cluster/network.flannel';
const ready = 'cluster/network.ready';
const registration = (n: PlannedNode): NodeRegistration => ({ name: n.name, address: n.address, ...(n.runtime === 'own' ? {} : { runtime: n.runtime }) });
const addon = (kind: 'DaemonSet' | 'Deployment', name: string): object => ({ apiVersion: 'apps/v1', kind, name, namespace: 'kube-system' });

/** Kubernetes by kubeadm's phases. @throws PlanRefused for a version that we have not built and tried. */
export function kubernetes(c: PlanContext): Distribution {
  const version = c.spec.distribution.version ?? entryOf(c.catalog, 'kubeadm').version;
  if (!knownKubernetesVersions.includes(version))
    throw new PlanRefused(
      'unknown-version',
      `Kubernetes ${version} is not known here`,
      `set spec.distribution.version to one of: ${knownKubernetesVersions.join(', ')}`,
    );
  const parts = kubernetesComponents(version);
  const own = (name: string): CatalogEntry => entryOf(c.catalog, name, version);
  const pause = entryOf(c.catalog, 'image-pause', parts.pause);
  const everywhere = [own('image-kube-proxy'), entryOf(c.catalog, 'image-flannel'), entryOf(c.catalog, 'image-coredns', parts.coredns)];
  const controlPlane = [
    entryOf(c.catalog, 'image-etcd', parts.etcd), own('image-kube-apiserver'), own('image-kube-controller-manager'), own('image-kube-scheduler'),
  ]; // prettier-ignore
  const etcdTools = ['etcdctl', 'etcdutl'].map((name) => entryOf(c.catalog, name, parts.etcd));
  const bundled = bundleImages(c);
  const runtime = ['runc', 'containerd', 'cni-plugins'].map((name) => entryOf(c.catalog, name));
  // what a node waits for before it joins and before it can be Ready, and where it has the CA from
  const there = c.there
    ? { joinable: ['cluster/kubernetes.ca'], network: [], ca: { $output: 'cluster/kubernetes.ca', path: 'caPem' } }
    : { joinable: [keep], network: [flannel], ca: { $output: `${c.controlPlane.name}/kubernetes.api`, path: 'caPem' } };
  const sans = [c.names.api, c.controlPlane.address, ...c.spec.apiSANs];

  return {
    version,
    ownRuntime: true,
    networkReady: ready,
    artifacts: () => [...runtime, own('kubeadm'), own('kubelet'), own('kubectl'), pause, ...controlPlane, ...everywhere, ...etcdTools],
    images: (_, n) => [
      ...(n.role === 'control-plane' ? [{ as: 'control-plane', images: [pause, ...controlPlane] }] : []),
      { as: 'pods', images: [...(n.role === 'control-plane' ? [] : [pause]), ...everywhere, ...bundled] },
    ],
    pauseImage: () => parts.images.pause,
    nodeReady: (name) => `${name}/kubernetes.node-ready`,

    node(on, _, lines) {
      if (lines.node.role === 'control-plane') init(on, lines);
      else join(on, lines);
      onceJoined(on, lines.node);
    },
    known(on) {
      on.line(null).step(kubernetesCa, {});
    },
    cluster(on) {
      on.phase('install');
      on.line(null, keep, `${c.controlPlane.name}/images.import@pods`).step(networkFlannel, {
        podCidr: c.spec.network.podCidr, backend: c.spec.network.backend, image: entryOf(c.catalog, 'image-flannel').ref,
        nftables: c.nodes.every((n) => n.can.kernelNftables),
        endpoint: c.names.api,
      }); // prettier-ignore
      on.line(null, flannel, `${c.controlPlane.name}/kubernetes.addons`).step(networkReady, {
        workloads: [flannelDaemonSet, addon('DaemonSet', 'kube-proxy'), addon('Deployment', 'coredns')],
      });
    },
  };

  function init(on: Steps, { node: n, begin, system, images }: NodeLines): void {
    on.phase('install');
    const line = begin.fork();
    fetch(line, 'kubernetes', ['kubeadm', 'kubelet', 'kubectl']);
    line.step(kubernetesBinaries, { kubelet: artifact('kubelet'), kubeadm: artifact('kubeadm'), kubectl: artifact('kubectl') });
    line.step(kubernetesKubeletUnit, {});
    line.step(kubernetesConfig, {
      node: registration(n),
      kubelet: kubeletConstraints(n, c.spec),
      control: {
        cluster: c.cluster, version, endpoint: c.names.api, podCidr: c.spec.network.podCidr, serviceCidr: c.spec.network.serviceCidr, sans,
        proxy: proxySettings(c.nodes),
      },
    }); // prettier-ignore
    line.step(kubernetesCerts, { sans });
    line.step(kubernetesEncryption, {});
    line.step(kubernetesKubeconfigs, {});
    line.step(kubernetesControlPlane, {});
    line.step(kubernetesKubeletStart, {}, { needs: [system, `${n.name}/images.import@control-plane`] });
    line.step(kubernetesApi, { cluster: c.cluster, address: n.address, endpoint: c.names.api });
    upkeep(line.fork());
    line.step(kubernetesSettings, {});
    on.line(null, line).step(kubeconfigKeep, { kubeconfig: { $secret: `output:${n.name}/kubernetes.api#kubeconfig` } });
    line.step(kubernetesAddons, {}, { needs: [images] });
  }

  /** What keeps the control plane in order by itself; nothing waits for it. */
  function upkeep(line: Line): void {
    fetch(line, 'upkeep', ['etcdctl', 'etcdutl']);
    line.step(etcdSnapshots, { etcdctl: artifact('etcdctl'), etcdutl: artifact('etcdutl') });
    line.step(certificatesRenew, {});
  }

  function join(on: Steps, { node: n, begin, system, images }: NodeLines): void {
    on.phase('install');
    const line = begin.fork();
    fetch(line, 'kubernetes', ['kubeadm', 'kubelet']);
    line.step(kubernetesBinaries, { kubelet: artifact('kubelet'), kubeadm: artifact('kubeadm') });
    line.step(kubernetesKubeletUnit, {});
    line.step(kubernetesConfig, { node: registration(n), kubelet: kubeletConstraints(n, c.spec) });
    line.after(system, images, ...there.joinable);
    // side by side: the node asks, the server approves
    line.fork().step(kubernetesAdmit, { node: n.name });
    line.step(kubernetesJoin, {
      token: { $secret: `mint:bootstrap-token:${n.name}` }, endpoint: c.names.api, node: registration(n),
      caPem: there.ca,
    }); // prettier-ignore
  }

  function onceJoined(on: Steps, n: PlannedNode): void {
    const joined = n.role === 'control-plane' ? [keep] : [`${n.name}/kubernetes.join`, `${n.name}/kubernetes.admit`];
    const labels = { [`node-role.kubernetes.io/${n.role}`]: '', ...labelsOf(n.spec) };
    on.line(n.name, ...joined).step(kubernetesNodeSettings, { node: n.name, labels, taints: n.spec.taints });
    on.line(n.name, ...joined, ...there.network).step(kubernetesNodeReady, { node: n.name });
  }
}
