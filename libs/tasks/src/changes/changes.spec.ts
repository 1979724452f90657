import type { Change } from '@strata/model';
import { MemoryHost } from '../testing';
import { changesOf, type Kept } from './index';

const kept = (task: string, before: unknown, more: Partial<Kept> = {}): Kept => ({ step: `n1/${task}`, task, before, at: 1, ...more });
const brief = (all: readonly Change[]): unknown[] => all.map((c) => [c.kind, c.what, c.before, c.now, c.restored, c.task]);

test('a file that was edited, one that was made, and the unit in it', async () => {
  const host = new MemoryHost();
  const hosts = await host.files.image('/etc/hosts');
  const absent = await host.files.image('/etc/systemd/system/kubelet.service');
  host.files.put('/etc/hosts', 'ours\n');
  host.units.seed('kubelet.service', { active: true });
  host.files.put('/etc/systemd/system/kubelet.service', '[Service]\nExecStart=/x\n[Install]\nWantedBy=multi-user.target\n');
  host.files.put(`/var/lib/strata/preimages/${hosts.sha256 ?? ''}`, 'x'.repeat(37));
  const found = brief(await changesOf(host, [kept('hosts.block', { file: hosts, cloud: null }), kept('kubernetes.kubelet-unit', { files: [absent] })]));
  expect(found).toEqual([
    ['folder', '/var/lib/strata', 'absent', 'folder 0755', false, 'agent.install'],
    ['file', '/etc/hosts', `sha256:${hosts.sha256?.slice(0, 16) ?? ''} 37 bytes 0644`, expect.stringMatching(/^sha256:.* 5 bytes 0644$/), false, 'hosts.block'],
    ['file', '/etc/systemd/system/kubelet.service', 'absent', expect.stringMatching(/bytes 0644$/), false, 'kubernetes.kubelet-unit'],
    ['unit', 'kubelet.service', 'no such unit', expect.stringMatching(/^active, /), false, 'kubernetes.kubelet-unit'],
  ]);
}); // prettier-ignore
test('what is as it was is told as restored; a pre-image that is lost is named', async () => {
  const host = new MemoryHost();
  const hosts = await host.files.image('/etc/hosts');
  const [change] = await changesOf(host, [kept('hosts.block', { file: hosts })]);
  expect(change).toMatchObject({ what: '/etc/hosts', before: expect.stringMatching(/its pre-image is lost/) as string });
  host.files.put(`/var/lib/strata/preimages/${hosts.sha256 ?? ''}`, host.files.text('/etc/hosts') ?? '');
  expect((await changesOf(host, [kept('hosts.block', { file: hosts })])).at(-1)).toMatchObject({ restored: true });
});
test('kernel settings, packages, rules, keys, images: each with what was', async () => {
  const host = new MemoryHost();
  host.sysctls.set('vm.swappiness', '10');
  host.files.put('/var/lib/strata/notes/packages.json', JSON.stringify({ a: ['socat', 'libc6'] }));
  host.packages.here.set('socat', '1.7');
  host.files.put('/root/.ssh/authorized_keys', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIabcdefghijkl ops@desk\n');
  const found = brief(
    await changesOf(host, [
      kept('kernel.sysctl', { values: { 'vm.swappiness': '60' } }),
      kept('packages.install', { installed: ['libc6'] }),
      kept('firewall.open', { owner: 'nftables', kept: [] }, { input: { ports: [{ proto: 'tcp', port: 6443, from: ['10.0.0.0/24'] }] } }),
      kept('sshd.configure', { added: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIabcdefghijkl ops@desk'] }),
      kept('images.import', { absent: ['registry.k8s.io/pause:3.10.2'] }),
      kept('hostname.set', { name: 'debian' }),
      kept('kubernetes.api', {}),
    ]),
  ).slice(1);
  expect(found).toEqual([
    ['sysctl', 'vm.swappiness', '60', '10', false, 'kernel.sysctl'],
    ['package', 'socat', 'not installed', '1.7', false, 'packages.install'],
    ['firewall', 'tcp 6443 from 10.0.0.0/24', 'no rule of ours', 'opened', false, 'firewall.open'],
    ['key', 'root ssh-ed25519 …abcdefghijkl ops@desk', 'not authorised', 'authorised', false, 'sshd.configure'],
    ['image', 'registry.k8s.io/pause:3.10.2', 'absent', 'absent', true, 'images.import'],
    ['hostname', 'hostname', 'debian', 'n1', false, 'hostname.set'],
    ['step', 'The API of the cluster answers', expect.stringMatching(/nothing was kept/), 'done', false, 'kubernetes.api'],
  ]);
}); // prettier-ignore
test('a folder that was filled: below /etc each file of it, and nothing that was there before; the first to touch a thing owns it', async () => {
  const host = new MemoryHost();
  host.files.put('/etc/kubernetes/theirs', '1');
  host.files.put('/etc/kubernetes/pki/ca.key', 'secret', 0o600);
  host.files.put('/var/lib/etcd/member/wal', '');
  const image = await host.files.image('/etc/kubernetes/pki/ca.key');
  const all = await changesOf(host, [kept('kubernetes.config', { names: ['theirs'], mode: 0o755 }), kept('kubernetes.control-plane', { etcd: { names: null } }), kept('later', { file: image })]);
  expect(brief(all)).toEqual([
    ['folder', '/etc/kubernetes', '1 entries', '2 entries', false, 'kubernetes.config'],
    ['file', '/etc/kubernetes/pki/ca.key', 'absent', expect.stringMatching(/^sha256:[0-9a-f]{16} 6 bytes 0600$/), false, 'kubernetes.config'],
    ['folder', '/var/lib/etcd', 'absent', '1 entries', false, 'kubernetes.control-plane'],
  ]);
  expect(JSON.stringify(all)).not.toContain('"secret"');
}); // prettier-ignore
