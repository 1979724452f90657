import { parse, parseAllDocuments } from 'yaml';
import { discoveryConfig, initConfiguration, joinConfiguration, kubeconfigOf, kubeletPatch } from './kubeadm-config';
import { toYaml } from './yaml';

const node = { name: 'n1', address: '10.0.0.11' };
const control = {
  cluster: 'home', version: '1.37.2', endpoint: 'api.home.strata.internal', podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/12',
  sans: ['api.home.strata.internal', '10.0.0.11'], proxy: { mode: 'nftables' as const },
}; // prettier-ignore
const documents = (text: string): Record<string, unknown>[] => parseAllDocuments(text).map((d) => d.toJS() as Record<string, unknown>);

describe('YAML of ours', () => {
  it('reads back as what was written', () => {
    const value = {
      a: ['x', 'yes', '1', '', 'with: colon', '- dash', 'ünï', 'line\nbreak'],
      b: { 'a key': null, t: true, n: 1.5 },
      e: [],
      o: {},
      deep: [{ k: [{ v: 1 }, 'z'], w: 'q' }],
    };
    expect(parse(toYaml(value))).toEqual(value);
    expect(toYaml({ a: undefined, b: 1 })).toBe('b: 1\n');
  });
});

describe('what kubeadm is told', () => {
  it('has nothing special on an ordinary machine', () => {
    const [init, cluster, kubelet, proxy] = documents(initConfiguration(node, control));
    expect(init).toMatchObject({
      localAPIEndpoint: { advertiseAddress: '10.0.0.11' },
      nodeRegistration: { name: 'n1', taints: [], imagePullPolicy: 'IfNotPresent' },
    });
    expect(cluster).toMatchObject({
      kubernetesVersion: 'v1.37.2',
      controlPlaneEndpoint: 'api.home.strata.internal:6443',
      apiServer: { certSANs: control.sans },
    });
    expect(kubelet).toEqual({
      apiVersion: 'kubelet.config.k8s.io/v1beta1',
      kind: 'KubeletConfiguration',
      cgroupDriver: 'systemd',
    });
    expect(proxy).toEqual({ apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', mode: 'nftables' });
    expect(parse(kubeletPatch({}))).toEqual({ apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', resolvConf: '/etc/resolv.conf' });
  });
  it('says what a constrained machine needs', () => {
    const proxy = documents(initConfiguration(node, { ...control, proxy: { mode: 'iptables', oomScoreAdj: 0, conntrack: 'leave' } }))[3];
    expect(proxy).toMatchObject({ mode: 'iptables', oomScoreAdj: 0, conntrack: { maxPerCore: 0, min: 0 } });
    expect(parse(kubeletPatch({ oomScoreAdj: 0, failCgroupV1: false, failSwapOn: false, nearlyFullDisk: true }))).toMatchObject({
      oomScoreAdj: 0,
      failCgroupV1: false,
      failSwapOn: false,
      imageGCHighThresholdPercent: 100,
      evictionHard: { 'nodefs.available': '500Mi' },
    });
  });
  it('gives a joining node the CA by a file and the token in its configuration alone', () => {
    expect(parse(joinConfiguration(node, 'abcdef.0123456789abcdef'))).toMatchObject({ discovery: { tlsBootstrapToken: 'abcdef.0123456789abcdef' } });
    const discovery = parse(discoveryConfig('api.home.strata.internal', 'PEM')) as { clusters: { cluster: Record<string, string> }[]; users: unknown };
    expect(discovery.clusters[0]?.cluster).toEqual({ server: 'https://api.home.strata.internal:6443', 'certificate-authority-data': btoa('PEM') });
    expect(JSON.stringify(discovery.users)).not.toMatch(/token|data/);
  });
});

describe('the kubeconfig that leaves the node', () => {
  const admin = '    certificate-authority-data: Q0E=\n    client-certificate-data: Q1JU\n    client-key-data: S0VZ\n';
  it('has an address that works and the name that the certificate holds', () => {
    const made = parse(kubeconfigOf(admin, { cluster: 'home', address: '10.0.0.11', endpoint: 'api.home.strata.internal' })) as {
      clusters: { cluster: unknown }[];
      users: { user: unknown }[];
    };
    expect(made.clusters[0]?.cluster).toEqual({
      server: 'https://10.0.0.11:6443',
      'tls-server-name': 'api.home.strata.internal',
      'certificate-authority-data': 'Q0E=',
    });
    expect(made.users[0]?.user).toEqual({ 'client-certificate-data': 'Q1JU', 'client-key-data': 'S0VZ' });
  });
  it('is refused when the file is not as kubeadm writes it', () => {
    expect(() => kubeconfigOf('', { cluster: 'c', address: 'a', endpoint: 'e' })).toThrow('certificate-authority-data');
  });
});
