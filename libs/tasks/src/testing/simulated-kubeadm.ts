import type { KubeObject } from '../ports/cluster';
import type { ProgramResult } from '../ports/host';
import type { MemoryCluster } from './memory-cluster';
import type { MemoryHost } from './memory-host';

const ok = (stdout = ''): ProgramResult => ({ code: 0, stdout, stderr: '' });
const bad = (stderr: string): ProgramResult => ({ code: 1, stdout: '', stderr });
const etc = '/etc/kubernetes';
const pki = [
  'ca',
  'apiserver',
  'apiserver-kubelet-client',
  'apiserver-etcd-client',
  'front-proxy-ca',
  'front-proxy-client',
  'etcd/ca',
  'etcd/server',
  'etcd/peer',
  'etcd/healthcheck-client',
];
const pods = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'];
const kubeletClient = '/var/lib/kubelet/pki/kubelet-client-current.pem';

/** What all machines of a simulation share: the cluster, and how often things were made, as a witness. */
export interface SimulatedKubernetes {
  cluster: MemoryCluster;
  made: { ca: number; encryptionKeys: number };
}

/** Gives a memory machine the programs and the kubelet of Kubernetes: as far as tasks can see, kubeadm's own behaviour. */
export function simulateKubernetes(host: MemoryHost, world: SimulatedKubernetes, node: { name: string; address: string }): void {
  const { cluster } = world;
  const { files, units } = host;
  const has = (path: string): boolean => files.tree.has(path);
  const make = (path: string, content: string, mode = 0o644): void => {
    if (!has(path)) files.put(path, content, mode);
  };
  const isControlPlane = (): boolean => has(`${etc}/manifests/kube-apiserver.yaml`);
  const caOf = (text: string): string => atob(/certificate-authority-data: "?([^"\s]+)/.exec(text)?.[1] ?? '');

  function register(): void {
    if (!cluster.members.has(node.name)) cluster.members.set(node.name, { address: node.address, labels: {}, taints: [], unschedulable: false });
  }
  units.behave('kubelet.service', {
    start: () => {
      if (isControlPlane()) {
        cluster.up = () => units.active.has('kubelet.service');
        make('/var/lib/etcd/member/snap', 'data');
        make(kubeletClient, 'client');
        cluster.objects.set('ConfigMap kube-system/kube-root-ca.crt', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kube-root-ca.crt', namespace: 'kube-system' }, data: { 'ca.crt': files.text(`${etc}/pki/ca.crt`) ?? '' } }); // prettier-ignore
        register();
      } else if (has(kubeletClient)) register();
      else if (has(`${etc}/bootstrap-kubelet.conf`)) request();
    },
    stop: () => {
      if (isControlPlane()) cluster.up = () => false;
    },
  });
  units.behave('strata-etcd-snapshot.service', {
    start: () => {
      if (!cluster.up() || !has('/usr/local/bin/etcdctl')) throw new Error('etcd does not answer');
      files.put('/var/lib/etcd-snapshots/snapshot-1.db', 'snapshot', 0o600);
    },
  });
  host.program('etcdutl', () => (has('/var/lib/etcd-snapshots/snapshot-1.db') ? ok('hash, 5, 1, 20 kB\n') : bad('no such file')));
  function request(): void {
    const token = /token: (\w+)\./.exec(files.text(`${etc}/bootstrap-kubelet.conf`) ?? '')?.[1] ?? '';
    const name = `csr-${node.name}-${token}`;
    cluster.requests.set(name, {
      name, username: `system:bootstrap:${token}`, signer: 'kubernetes.io/kube-apiserver-client-kubelet', commonName: `system:node:${node.name}`,
      organizations: ['system:nodes'], pending: true,
      issue: () => {
        make(kubeletClient, 'client', 0o600);
        make(`${etc}/kubelet.conf`, `client-certificate: ${kubeletClient}\n`, 0o600);
        register();
      },
    }); // prettier-ignore
  }

  const phases: Record<string, (config: string) => ProgramResult> = {
    'init phase certs all': () => {
      if (!has(`${etc}/pki/ca.crt`)) world.made.ca++;
      for (const name of pki) {
        make(`${etc}/pki/${name}.crt`, `-----BEGIN CERTIFICATE-----\n${name} ${world.made.ca}\n-----END CERTIFICATE-----\n`);
        make(`${etc}/pki/${name}.key`, `key of ${name}`, 0o600);
      }
      for (const name of ['sa.key', 'sa.pub']) make(`${etc}/pki/${name}`, name, 0o600);
      return ok();
    },
    'init phase kubeconfig all': () => {
      const ca = btoa(files.text(`${etc}/pki/ca.crt`) ?? '');
      for (const name of ['admin', 'super-admin', 'kubelet', 'controller-manager', 'scheduler'])
        make(`${etc}/${name}.conf`, `    certificate-authority-data: ${ca}\n    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n`, 0o600);
      return ok();
    },
    'init phase etcd local': () => (make(`${etc}/manifests/etcd.yaml`, 'etcd'), ok()),
    'init phase control-plane all': () => {
      for (const name of pods) make(`${etc}/manifests/${name}.yaml`, name);
      return ok();
    },
    'init phase kubelet-start': () => startKubelet(),
    'init phase upload-config all': () => needApi(() => put('ConfigMap', 'kubeadm-config')),
    'init phase addon all': () => needApi(() => (put('DaemonSet', 'kube-proxy', 'apps/v1'), put('Deployment', 'coredns', 'apps/v1'))),
    'join phase kubelet-start': (config) => {
      const token = /tlsBootstrapToken: "?([a-z0-9.]+)/.exec(files.text(config) ?? '')?.[1] ?? '';
      const discovery = /kubeConfigPath: (\S+)/.exec(files.text(config) ?? '')?.[1] ?? '';
      if (!cluster.up()) return bad('error execution phase kubelet-start: the API server does not answer');
      files.put(`${etc}/bootstrap-kubelet.conf`, `token: ${token}\n`, 0o600);
      make(`${etc}/pki/ca.crt`, caOf(files.text(discovery) ?? ''));
      return startKubelet();
    },
    'upgrade node phase kubelet-config': () => startKubelet(),
  };
  async function kubelet(): Promise<ProgramResult> {
    make('/var/lib/kubelet/config.yaml', 'kubelet');
    make('/var/lib/kubelet/kubeadm-flags.env', 'flags');
    if (units.path('kubelet.service') === null) return bad('unit kubelet.service not found');
    await units.restart('kubelet.service');
    return ok();
  }
  let pending: Promise<ProgramResult> | null = null;
  function startKubelet(): ProgramResult {
    pending = kubelet();
    return ok();
  }
  function needApi(change: () => void): ProgramResult {
    if (!cluster.up()) return bad('error: the API server does not answer');
    change();
    return ok();
  }
  function put(kind: string, name: string, apiVersion = 'v1'): void {
    cluster.objects.set(`${kind} kube-system/${name}`, { apiVersion, kind, metadata: { name, namespace: 'kube-system' } });
  }

  host.program('kubeadm', async (argv) => {
    if (!has('/usr/local/bin/kubeadm')) return { code: 127, stdout: '', stderr: 'kubeadm: not found' };
    const words = argv.slice(1);
    if (words.join(' ') === 'certs certificate-key') return ok(`${String(++world.made.encryptionKeys).padStart(64, '0')}\n`);
    const flag = words.findIndex((w) => w.startsWith('--'));
    const phase = phases[words.slice(0, flag).join(' ')];
    if (!phase) return bad(`unknown command ${words.join(' ')}`);
    const config = words[words.indexOf('--config') + 1] ?? '';
    if (words.includes('--config') && !has(config)) return bad(`${config}: no such file`);
    const result = phase(config);
    const started = await pending;
    pending = null;
    return started ?? result;
  });
  host.program('kubectl', (argv, { input }) => simulatedKubectl(cluster, argv.slice(1), input ?? ''));
  host.program('ctr', () => ok());
  host.http = (url) => (url.endsWith(':6443/readyz') && cluster.up() ? { status: 200, body: 'ok' } : null);
}

/** `get REF… -o json`, `apply -f -`, `delete REF`, `rollout restart REF`: what our tasks say. */
function simulatedKubectl(cluster: MemoryCluster, argv: string[], input: string): ProgramResult {
  if (!cluster.up()) return bad('the connection to the server was refused');
  const kinds: Record<string, string> = { configmap: 'ConfigMap', daemonset: 'DaemonSet', deployment: 'Deployment', clusterrolebinding: 'ClusterRoleBinding' };
  const namespace = argv.includes('-n') ? (argv[argv.indexOf('-n') + 1] ?? '') : '';
  const keys = argv.flatMap((word) => {
    const [kind = '', name] = word.split('/');
    const known = kinds[kind];
    return known && name ? [`${known} ${known === 'ClusterRoleBinding' ? '' : namespace}/${name}`] : [];
  });
  if (argv.includes('get')) {
    const items = keys.flatMap((k) => cluster.objects.get(k) ?? []);
    return ok(items.length === 0 ? '' : JSON.stringify({ kind: 'List', items }));
  }
  if (argv.includes('apply'))
    for (const o of (JSON.parse(input) as { items: KubeObject[] }).items) cluster.objects.set(`${o.kind} ${o.metadata.namespace ?? ''}/${o.metadata.name}`, o);
  else if (argv.includes('delete')) for (const k of keys) cluster.objects.delete(k);
  return ok();
}
