import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { root, until } from './support/program';
import { World } from './support/world';

/** What keeps a control plane in order by itself: snapshots of etcd that can really be restored, and certificates that are renewed in time. */
const long = 15 * 60_000;
const folder = '/var/lib/etcd-snapshots';
let world: World;
let file: string;

beforeAll(async () => {
  world = await World.make({ nodes: 1, base: 'ready' });
  file = await world.specFile();
  const ran = await world.server.strata(['apply', '-f', file, '--yes'], { timeoutMs: long });
  if (ran.code !== 0) throw new Error(`the install ended with ${ran.code}\n${ran.stdout.slice(-4000)}\n${ran.stderr}`);
}, long);
afterAll(() => world?.dispose(), 300_000);

const onNode = (...argv: string[]): Promise<string> => world.lab.must('n1', argv, { timeoutMs: 300_000 });
const kubectl = (...args: string[]): Promise<string> => world.server.kubectl(world.cluster, args);
const timers = ['strata-etcd-snapshot.timer', 'strata-renew-certificates.timer'];

test(
  'both timers run; a snapshot was taken, for root alone, and never more than five are kept',
  async () => {
    for (const timer of timers) expect((await onNode('systemctl', 'show', '-p', 'ActiveState,UnitFileState', '--value', timer)).trim()).toBe('active\nenabled');
    expect(await onNode('stat', '-c', '%a %U %n', folder, `${folder}/snapshot-1.db`)).toBe(`700 root ${folder}\n600 root ${folder}/snapshot-1.db\n`);
    const first = await onNode('sha256sum', `${folder}/snapshot-1.db`);
    for (let i = 0; i < 4; i += 1) await onNode('systemctl', 'start', 'strata-etcd-snapshot');
    expect((await onNode('sha256sum', `${folder}/snapshot-5.db`)).split(' ')[0]).toBe(first.split(' ')[0]);
    await onNode('systemctl', 'start', 'strata-etcd-snapshot');
    expect(await onNode('ls', folder)).toBe([1, 2, 3, 4, 5].map((n) => `snapshot-${n}.db\n`).join(''));
  },
  long,
);
test(
  'the lines of docs/recover.md bring back what was there when the snapshot was taken, and nothing else',
  async () => {
    await kubectl('create', 'configmap', 'kept', '--from-literal=x=1');
    await kubectl('create', 'secret', 'generic', 'sealed', '--from-literal=x=canary'); // encrypted in etcd
    await onNode('systemctl', 'start', 'strata-etcd-snapshot');
    await kubectl('delete', 'configmap', 'kept');
    await kubectl('create', 'configmap', 'later', '--from-literal=x=2');
    const script = /```sh\n([\s\S]*?)```/.exec(readFileSync(join(root, 'docs/recover.md'), 'utf8'))?.[1] ?? '';
    expect(script).toContain('etcdutl snapshot restore');
    const began = performance.now();
    await world.lab.must('n1', ['bash', '-s'], { input: script, timeoutMs: 300_000 });
    const names = await until('the API to answer from the snapshot', 180_000, async () => {
      const ran = await world.server.strata(['kubectl', '--cluster', world.cluster, '--', 'get', 'configmaps', '-o', 'name'], { timeoutMs: 60_000 });
      return ran.code === 0 ? ran.stdout : null;
    });
    console.log(`restored after ${((performance.now() - began) / 1000).toFixed(1)} s`);
    expect(names).toContain('configmap/kept');
    expect(names).not.toContain('configmap/later');
    expect(Buffer.from(await kubectl('get', 'secret', 'sealed', '-o', 'jsonpath={.data.x}'), 'base64').toString()).toBe('canary');
    await kubectl('wait', '--for=condition=Ready', 'node/n1', '--timeout=120s');
    // it works on from there: something new is written, and a pod of the system is made anew by its controller
    await kubectl('create', 'configmap', 'after', '--from-literal=x=3');
    await kubectl('-n', 'kube-system', 'rollout', 'restart', 'deployment/coredns');
    await kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment/coredns', '--timeout=180s');
  },
  long,
);

/** The serial number of the certificate that the API server shows. */
const serial = (): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: world.lab.node('n1').address, port: 6443, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.end();
    });
    socket.once('error', reject);
  });
/** The containers of the control plane that run. */
const running = async (): Promise<string[]> => {
  const filter = 'labels."io.kubernetes.pod.namespace"=="kube-system",labels."io.kubernetes.container.name"~="^(etcd|kube-apiserver|kube-controller-manager|kube-scheduler)$"';
  const ids = (await onNode('ctr', '-n', 'k8s.io', 'containers', 'list', '-q', filter)).split('\n').filter(Boolean);
  const tasks = (await onNode('ctr', '-n', 'k8s.io', 'tasks', 'list')).split('\n').filter((l) => l.includes('RUNNING')).map((l) => l.split(/\s+/)[0]); // prettier-ignore
  return ids.filter((id) => tasks.includes(id)).sort();
}; // prettier-ignore
test(
  'certificates that are good are left alone; renewed ones are at work at once, on the server too with the next apply',
  async () => {
    const [before, containers] = [await serial(), await running()];
    expect(containers).toHaveLength(4);
    await onNode('systemctl', 'start', 'strata-renew-certificates');
    expect([await serial(), await running()]).toEqual([before, containers]);
    expect(await onNode('journalctl', '-q', '--no-pager', '-o', 'cat', '-u', 'strata-renew-certificates')).toMatch(
      /the certificates are good: .* in 36[45] days/,
    );
    expect(await onNode('cat', '/var/lib/kubelet/config.yaml')).toMatch(/^rotateCertificates: true$/m);

    await onNode('/usr/local/bin/stratad', 'renew-certificates', '--now');
    expect(await serial()).not.toBe(before);
    const after = await running();
    expect([after.length, after.filter((id) => containers.includes(id))]).toEqual([4, []]);
    await kubectl('get', 'nodes'); // the old kubeconfig is good until its own end

    const again = await world.server.strata(['apply', '-f', file, '--yes'], { timeoutMs: long });
    expect(again.code).toBe(0);
    const own = /client-certificate-data: (\S+)/.exec(await onNode('cat', '/etc/kubernetes/admin.conf'))?.[1];
    expect((await world.server.must(['kubeconfig', '--cluster', world.cluster])).includes(own ?? '?')).toBe(true); // never printed: it holds the key
    await kubectl('get', 'nodes');
  },
  long,
);
test(
  'a step that is not there is said to be none; a run is found by the beginning of its id',
  async () => {
    const [newest] = JSON.parse(await world.server.must(['runs', 'list', '-o', 'json'])) as { id: string }[];
    const prefix = newest?.id.slice(0, 8) ?? '';
    const logs = await world.server.strata(['logs', prefix, 'n1/nope']);
    expect([logs.code, logs.stderr]).toEqual([1, expect.stringMatching(/there is no step n1\/nope in run[\s\S]*n1\/kubernetes\.api/)]);
    expect((await world.server.strata(['logs', prefix, 'n1/kubernetes.api'])).code).toBe(0);
    const retried = await world.server.strata(['runs', 'retry', prefix, 'n1/nope']);
    expect(retried.stderr).not.toMatch(/UUID/i);
    expect(retried.code).toBe(1);
  },
  long,
);
test(
  'uninstall leaves no timer, no program and no snapshot',
  async () => {
    await world.server.must(['uninstall', '--yes'], { timeoutMs: long });
    const left = await world.lab.exec('n1', ['sh', '-c', `ls -d ${folder} /usr/local/bin/etcd* /etc/systemd/system/strata-* /etc/systemd/system/timers.target.wants/strata-* 2>/dev/null`]);
    expect(left.stdout).toBe('');
    expect(await onNode('systemctl', 'list-units', '--all', '--plain', '--no-legend', 'strata-*')).toBe('');
  },
  long,
); // prettier-ignore
