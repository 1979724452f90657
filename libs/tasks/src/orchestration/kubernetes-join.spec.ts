import type { Common } from '../define-task';
import type { SigningRequest } from '../ports/cluster';
import { runTask } from '../run-task';
import { MemoryCluster, MemoryControl, MemoryHost, simulatedClock, simulateKubernetes } from '../testing';
import { kubernetesAdmit, mayBeAdmitted } from './kubernetes-admit';
import { kubernetesJoin } from './kubernetes-join';

const token = 'abc123.0123456789abcdef';
const input = {
  token: { $secret: 'mint:bootstrap-token:n2' },
  endpoint: 'api.home.strata.internal',
  caPem: '-----BEGIN CERTIFICATE-----\nca\n',
  node: { name: 'n2', address: '10.0.0.12' },
};
const empty = { digest: '', entries: [], obtained: {} };

function world(): { host: MemoryHost; cluster: MemoryCluster; control: MemoryControl; common: Common; logs: string[] } {
  const [host, cluster] = [new MemoryHost('n2', '10.0.0.12'), new MemoryCluster()];
  simulateKubernetes(host, { cluster, made: { ca: 0, encryptionKeys: 0 } }, { name: 'n2', address: '10.0.0.12' });
  cluster.up = () => true;
  cluster.network = null;
  for (const [path, text] of [['/usr/local/bin/kubeadm', ''], ['/etc/systemd/system/kubelet.service', '[Install]\nWantedBy=multi-user.target\n'], ['/etc/kubernetes/strata/patches/kubeletconfiguration+merge.yaml', '{}']] as const) host.files.put(path, text); // prettier-ignore
  const logs: string[] = [];
  const common = {
    clock: simulatedClock(),
    progress: () => undefined,
    log: (l: string) => void logs.push(l),
    signal: new AbortController().signal,
    secret: () => token,
  };
  return { host, cluster, control: new MemoryControl(empty), common, logs };
}
const journal = { storedBefore: () => undefined, before: async () => Promise.resolve() };
type World = ReturnType<typeof world>;
const join = (w: World): ReturnType<typeof runTask> =>
  runTask(kubernetesJoin, { action: 'run', input }, { ports: { host: w.host }, common: w.common, journal });
const admit = (w: World): ReturnType<typeof runTask> =>
  runTask(kubernetesAdmit, { action: 'run', input: { node: 'n2' } }, { ports: { cluster: w.cluster, control: w.control }, common: w.common, journal });
const withToken = (host: MemoryHost): string[] =>
  [...host.files.tree].filter(([, node]) => node.kind === 'file' && node.content.includes(token)).map(([path]) => path);

describe('a node joins', () => {
  it('with its own token, which is nowhere on it afterwards, nor in the words of any program', async () => {
    const w = world();
    w.control.minted.set('n2', 'abc123');
    const [joined, admitted] = await Promise.all([join(w), admit(w)]);
    expect([joined.outcome, admitted.outcome]).toEqual(['changed', 'changed']);
    expect(w.cluster.approved).toEqual(['system:node:n2']);
    expect(withToken(w.host)).toEqual([]);
    expect(w.host.runs.flat().join(' ')).not.toContain(token);
    expect((await join(w)).outcome).toBe('satisfied');
  });
  it('leaves no token behind when nobody approves it', async () => {
    const w = world();
    const ended = await join(w);
    expect(ended.result.failure).toMatchObject({ code: 'timeout', retry: true });
    expect(withToken(w.host)).toEqual([]);
  });
  it('goes on with its certificate when kubelet lost its kubeconfig or its settings', async () => {
    const w = world();
    w.control.minted.set('n2', 'abc123');
    await Promise.all([join(w), admit(w)]);
    await w.host.files.remove('/etc/kubernetes/kubelet.conf');
    await w.host.files.remove('/var/lib/kubelet/config.yaml');
    expect((await join(w)).outcome).toBe('changed');
    expect(w.host.files.text('/etc/kubernetes/kubelet.conf')).toMatch(/client-certificate: "?\/var\/lib\/kubelet\/pki\/kubelet-client-current.pem/);
    expect(w.host.files.text('/var/lib/kubelet/config.yaml')).toBeDefined();
    expect(w.cluster.approved).toEqual(['system:node:n2']);
    expect((await join(w)).outcome).toBe('satisfied');
  });
  it('is refused on a machine of another cluster', async () => {
    const w = world();
    w.host.files.put('/etc/kubernetes/pki/ca.crt', '-----BEGIN CERTIFICATE-----\nother\n');
    expect((await join(w)).result.failure?.code).toBe('foreign-cluster');
  });
});

describe('who is admitted', () => {
  const good: SigningRequest = {
    name: 'csr-1',
    username: 'system:bootstrap:abc123',
    signer: 'kubernetes.io/kube-apiserver-client-kubelet',
    commonName: 'system:node:n2',
    organizations: ['system:nodes'],
    pending: true,
  };
  it('only the planned node, with its token, for its name', () => {
    expect(mayBeAdmitted(good, 'n2', 'abc123')).toBe(true);
    const wrong: Partial<SigningRequest>[] = [
      { username: 'system:bootstrap:zzz999' }, { username: 'system:node:n2' }, { commonName: 'system:node:n1' }, { commonName: '' }, { organizations: ['system:masters'] },
      { organizations: ['system:nodes', 'system:masters'] }, { signer: 'kubernetes.io/kube-apiserver-client' }, { pending: false },
    ]; // prettier-ignore
    for (const change of wrong) expect(mayBeAdmitted({ ...good, ...change }, 'n2', 'abc123')).toBe(false);
    expect(mayBeAdmitted(good, 'n2', null)).toBe(false);
  });
  it('lets a request for another name stay pending, and says so', async () => {
    const w = world();
    w.control.minted.set('n2', 'abc123');
    w.cluster.requests.set('evil', { ...good, name: 'evil', commonName: 'system:node:n1', issue: () => { throw new Error('issued'); } }); // prettier-ignore
    const [, admitted] = await Promise.all([join(w), admit(w)]);
    expect(admitted.outcome).toBe('changed');
    expect(w.cluster.requests.get('evil')?.pending).toBe(true);
    expect(w.logs.join()).toContain('"system:node:n1"');
    expect(w.cluster.approved).toEqual(['system:node:n2']);
  });
});
