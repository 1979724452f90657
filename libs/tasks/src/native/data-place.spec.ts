import { taskNamed } from '../registry';
import { MemoryHost, tryTask } from '../testing';

const task = taskNamed('data.place');
const input = { dataDir: '/data', kinds: ['containerd', 'etcd'] };
const unit = '/etc/systemd/system/var-lib-etcd.mount';

test('each place is a mount that its programs wait for, and do not start without', async () => {
  const host = new MemoryHost();
  expect((await tryTask(task, { host }, { input })).outcome).toBe('changed');
  expect(host.files.text(unit)).toMatch(
    /RequiresMountsFor=\/data\/etcd\nBefore=kubelet\.service\n[^]*What=\/data\/etcd\nWhere=\/var\/lib\/etcd\n[^]*RequiredBy=kubelet\.service\n/,
  );
  expect((await tryTask(task, { host }, { input })).outcome).toBe('satisfied');
});
test('what is a file system of its own stays where it is, and is said to', async () => {
  const host = new MemoryHost();
  host.mounted.push({ path: '/var/lib/containerd', device: '/dev/sdb', type: 'xfs', options: [] });
  const { outcome, result } = await tryTask(task, { host }, { input });
  expect([outcome, result.findings.map((f) => f.code)]).toEqual(['changed', ['data.own']]);
  expect(host.files.text('/etc/systemd/system/var-lib-containerd.mount')).toBeNull();
});
test('nothing is hidden: data that is there, or a place that is somewhere else by now, is refused', async () => {
  const host = new MemoryHost();
  host.files.put('/var/lib/etcd/member/snap', 'data');
  const first = await tryTask(task, { host }, { input });
  expect([first.outcome, first.result.findings[0]?.message]).toEqual(['refused', '/var/lib/etcd holds data already: it would be hidden, not moved']);
  const other = new MemoryHost();
  await tryTask(task, { host: other }, { input });
  const moved = await tryTask(task, { host: other }, { input: { ...input, dataDir: '/more' } });
  expect([moved.outcome, moved.result.findings[0]?.message]).toEqual(['refused', expect.stringContaining('/var/lib/etcd is at /data/etcd already')]);
});
