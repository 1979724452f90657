import { rootCauseFirst, type Check } from '@strata/model';
import { said } from '../testing/memory-programs';
import { MemoryHost } from '../testing';
import { validity } from './certificate-time';
import { keepWritten, writtenBy } from '../changes';
import { lookAtNode } from './index';

const now = Date.parse('2030-01-01T00:00:00Z');
const api = 'api.c1.strata.internal';
/** Good from 2025-01-01 until 2055-12-31. */
const pem = `-----BEGIN CERTIFICATE-----
MIIBCTCBsaADAgECAgEBMAoGCCqGSM49BAMCMAwxCjAIBgNVBAMTAXgwIBcNMjUw
MTAxMDAwMDAwWhgPMjA1NTEyMzEyMzU5NTlaMAwxCjAIBgNVBAMTAXgwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAATaYJqant/7zH7npzInPPJNjvZvJZ9ZavMMZ4Tb
l/phVWlXzNEy5GZGXCPe/oxEetsFilli/bU8cwsbeeMpoZxRowIwADAKBggqhkjO
PQQDAgNHADBEAiApvlMWkbLWqIcM5aUZ3yRwGEEGGnvmB1SSjrARIhclOwIgX7Z/
Tcg3nO8YalFDjUTEsUuo/9wEEwY2R//KxHf05jE=
-----END CERTIFICATE-----
`;

/** A control plane that is well. */
function node(): MemoryHost {
  const host = new MemoryHost('n1');
  host.files.put('/etc/strata/agent.yaml', 'nodeName: n1\n', 0o600);
  for (const unit of ['stratad.service', 'containerd.service', 'kubelet.service']) host.units.seed(unit, { active: true, enabled: true });
  host.files.put('/etc/systemd/system/kubelet.service', '[Service]\nExecStart=/usr/local/bin/kubelet\n[Install]\nWantedBy=multi-user.target\n');
  host.files.put('/var/lib/kubelet/config.yaml', 'kind: KubeletConfiguration\n');
  host.files.put('/usr/local/bin/containerd', 'elf', 0o755);
  host.files.put('/etc/kubernetes/admin.conf', `server: https://${api}:6443\n`, 0o600);
  host.files.put('/etc/kubernetes/kubelet.conf', `    server: https://${api}:6443\n    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n`, 0o600);
  host.files.put('/var/lib/kubelet/pki/kubelet-client-current.pem', pem, 0o600);
  host.files.put('/etc/kubernetes/pki/ca.crt', pem);
  host.files.put('/var/lib/etcd/member/wal', '');
  for (const name of ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler']) host.files.put(`/etc/kubernetes/manifests/${name}.yaml`, 'kind: Pod\n');
  host.files.put('/etc/hosts', '127.0.0.1 localhost\n# BEGIN Strata: this part is written by Strata, change it in the cluster spec\n10.0.0.11 x\n# END Strata\n');
  host.baseFacts.time.wallMs = now;
  host.names = (name) => (name === api ? ['10.0.0.11'] : []);
  host.http = () => ({ status: 200, body: 'ok' });
  return host;
} // prettier-ignore
const look = async (host: MemoryHost, server: number | null = now): Promise<Check[]> =>
  rootCauseFirst(await lookAtNode({ host, where: 'n1', serverNow: () => server }));
const found = async (host: MemoryHost, server?: number): Promise<unknown[]> => {
  const first = (await look(host, server)).find((c) => c.verdict !== 'ok');
  return first ? [first.verdict, first.code, first.cause] : ['ok'];
};
const like = (words: RegExp): unknown => expect.stringMatching(words);

test('a control plane that is well: every check is made, and says so', async () => {
  const checks = await look(node());
  expect(checks.map((c) => [c.code, c.verdict])).toEqual(
    ['node.disk', 'node.memory', 'node.clock', 'node.agent', 'node.names', 'node.containerd', 'node.credentials', 'node.manifests', 'node.kubelet', 'node.etcd', 'node.apiserver', 'node.api', 'node.files'].map((code) => [code, 'ok']),
  );
}); // prettier-ignore
test('a worker is not asked for what only a control plane has, and a machine without Kubernetes for nothing of it', async () => {
  const worker = node();
  worker.files.takeAway('/etc/kubernetes/admin.conf');
  expect((await look(worker)).map((c) => c.code)).not.toContain('node.etcd');
  const codes = (await look(new MemoryHost('n9'))).map((c) => c.code);
  expect(codes).not.toContain('node.kubelet');
});

const breaks: [string, (h: MemoryHost) => unknown, RegExp | string, RegExp][] = [
  ['a full disk', (h) => void Object.assign(h.baseFacts.disks[0]!, { free: 1000 }), 'node.disk', /the disk is full: 0 MiB of/],
  ['no inodes', (h) => void Object.assign(h.baseFacts.disks[0]!, { inodesFree: 3 }), 'node.disk', /only 3 inodes/],
  ['no memory', (h) => void (h.baseFacts.memory.available = 1e6), 'node.memory', /1 MiB of/],
  ['a wrong clock', (h) => void (h.baseFacts.time.wallMs = now - 2 * 3_600_000), 'node.clock', /2\.0 hours behind/],
  ['no identity', (h) => h.files.takeAway('/etc/strata/agent.yaml'), 'node.agent', /agent\.yaml is missing/],
  ['a masked agent', (h) => h.units.mask('stratad.service'), 'node.agent', /stratad\.service is masked/],
  ['a dead agent', (h) => h.units.active.delete('stratad.service'), 'node.agent', /stratad\.service is inactive/],
  ['a name that leads nowhere', (h) => ((h.names = () => []), h.files.put('/etc/hosts', '127.0.0.1 localhost\n')), 'node.names', /api\.c1.* does not resolve; the part of Strata is missing/],
  ['a stopped runtime', (h) => h.units.active.delete('containerd.service'), 'node.containerd', /containerd\.service is inactive: somebody stopped it/],
  ['a runtime that does not answer', (h) => h.program('ctr', () => said('', 1, 'context deadline exceeded')), 'node.containerd', /does not answer: context deadline/],
  ['no kubelet.conf', (h) => h.files.takeAway('/etc/kubernetes/kubelet.conf'), 'node.credentials', /kubelet\.conf is missing/],
  ['no client certificate', (h) => h.files.takeAway('/var/lib/kubelet/pki/kubelet-client-current.pem'), 'node.credentials', /kubelet's client certificate, is missing/],
  ['a certificate that is none', (h) => h.files.put('/etc/kubernetes/pki/ca.crt', 'rubbish'), 'node.credentials', /ca\.crt holds no certificate/],
  ['a manifest that is away', (h) => h.files.takeAway('/etc/kubernetes/manifests/kube-apiserver.yaml'), 'node.manifests', /missing: .*kube-apiserver\.yaml/],
  ['a stopped kubelet', (h) => h.units.active.delete('kubelet.service'), 'node.kubelet', /kubelet\.service is inactive/],
  ['a kubelet that is not well', (h) => (h.http = (url) => (url.includes('10248') ? null : { status: 200, body: '' })), 'node.kubelet', /health port 10248 does not answer/],
  ['no etcd', (h) => ((h.reachable = (_, port) => port !== 2379), h.files.takeAway('/var/lib/etcd/member/wal'), h.files.takeAway('/var/lib/etcd/member')), 'node.etcd', /does not listen on port 2379; \/var\/lib\/etcd\/member is missing/],
  ['an etcd without its quorum', (h) => (h.http = (url) => (url.includes('2381') ? { status: 503, body: '{"health":"false"}' } : { status: 200, body: '' })), 'node.etcd', /etcd says: \{"health":"false"\}/],
  ['an API server that is not ready', (h) => (h.http = (url) => (url.includes('6443') ? { status: 500, body: '[+]ping ok\n[-]etcd failed: reason withheld\n' } : { status: 200, body: '' })), 'node.apiserver', /not ready: \[-\]etcd failed/],
  ['an API that is not reached', (h) => (h.reachable = (name) => name !== api), 'node.api', /takes no connection from here/],
]; // prettier-ignore
test.each(breaks)('%s is the first finding, with a remedy', async (...[, broken, code, cause]) => {
  const host = node();
  await broken(host);
  expect(await found(host)).toEqual(['broken', code, like(cause)]);
  expect((await look(host))[0]?.remedy).not.toBe('');
});
test('a look that cannot be made is unknown and stops no other', async () => {
  const host = node();
  host.files.put('/proc/none', '');
  host.mounts.space = () => Promise.reject(new Error('the disk hangs'));
  expect(await found(host)).toEqual(['unknown', 'node.disk', 'the disk hangs']);
  expect((await look(host)).filter((c) => c.verdict === 'ok')).toHaveLength(12);
});
test('a certificate whose time is over, or has not begun', async () => {
  const host = node();
  const at = async (date: string): Promise<unknown[]> => {
    host.baseFacts.time.wallMs = Date.parse(date);
    return found(host, Date.parse(date));
  };
  expect(await at('2056-06-01T00:00:00Z')).toEqual(['broken', 'node.credentials', like(/has expired on 2055-12-31/)]);
  expect(await at('2024-06-01T00:00:00Z')).toEqual(['broken', 'node.credentials', like(/is not good before 2025-01-01/)]);
});
test('the times of a certificate are read from its bytes', () => {
  expect(validity(pem)).toEqual({ from: Date.UTC(2025, 0, 1), until: Date.UTC(2055, 11, 31, 23, 59, 59) });
  expect(validity('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')).toBeNull();
});
test('without a server there is no clock to compare with', async () => {
  const host = node();
  expect((await look(host, null)).find((c) => c.code === 'node.clock')).toMatchObject({ verdict: 'ok', cause: like(/no server/) });
});

describe('what Strata wrote', () => {
  const [sysctl, timer, conf] = ['/etc/sysctl.d/90-strata.conf', '/etc/systemd/system/strata-etcd-snapshot.timer', '/etc/cni/net.d/10-flannel.conflist'];
  async function installed(): Promise<MemoryHost> {
    const host = node();
    const files = [await host.files.image(sysctl), await host.files.image(timer)];
    host.files.put(sysctl, '# Written by Strata\n');
    host.files.put(timer, '[Timer]\n');
    host.units.seed('strata-etcd-snapshot.timer', { active: true, enabled: true });
    await keepWritten(host, await writtenBy(host, { step: 'n1/a', task: 'a', befores: [{ files }] }));
    host.files.put('/var/lib/flannel/subnet.env', 'FLANNEL_SUBNET=10.1.0.1/24\n');
    host.files.put(conf, '{}');
    return host;
  }
  test('all as it was: well', async () => expect(await found(await installed())).toEqual(['ok']));
  test('a file that is gone is broken, one that was edited a warning, each with the way back', async () => {
    const host = await installed();
    host.files.put(sysctl, '# Written by Strata\nedited\n');
    expect(await found(host)).toEqual(['warning', 'node.files', `${sysctl} was changed since Strata wrote it`]);
    host.files.takeAway(sysctl);
    const [check] = await look(host);
    expect(check).toMatchObject({ verdict: 'broken', code: 'node.files', cause: `${sysctl} is missing`, remedy: like(/strata plan.*strata apply/) });
  });
  test("the pod network's configuration, which its pod writes", async () => {
    const host = await installed();
    host.files.takeAway(conf);
    const [check] = await look(host);
    expect(check).toMatchObject({
      verdict: 'broken',
      cause: like(/10-flannel\.conflist is missing: new pods get no network/),
      remedy: like(/delete pod .*spec\.nodeName=n1/),
    });
  });
  test('a timer that was stopped', async () => {
    const host = await installed();
    host.units.active.delete('strata-etcd-snapshot.timer');
    expect(await found(host)).toEqual(['broken', 'node.files', 'strata-etcd-snapshot.timer is inactive']);
  });
});
