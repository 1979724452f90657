import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StorageStatus } from '@strata/model';
import { until } from './support/program';
import { withShared } from './support/shared-spec';
import { World } from './support/world';

/** Claims of the class `strata-shared`: folders of the shared view with quotas that hold, on every node. */
const long = 20 * 60_000;
const nodes = ['n1', 'n2'];
const path = '/strata/rootfs';
let world: World;

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready', diskSize: '14G' });
  const spec = await world.specFile({ bundles: ['demo'] }, (text) => withShared(text));
  const ran = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000) + ran.stderr]).toEqual([0, '']);
}, long);
afterAll(() => world?.dispose(), 300_000);

const inNode = (node: string, argv: readonly string[], timeoutMs = 60_000): Promise<string> => world.lab.must(node, argv, { timeoutMs });
const kubectl = (...args: string[]): Promise<string> => world.server.kubectl(world.cluster, args);
async function create(...items: object[]): Promise<void> {
  const file = join(world.server.dir, 'user', 'things.json');
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await kubectl('apply', '-f', file);
}
const claim = (name: string, more: object = {}): object => ({
  apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name, namespace: 'default' },
  spec: { storageClassName: 'strata-shared', accessModes: ['ReadWriteMany'], resources: { requests: { storage: '700Mi' } }, ...more },
}); // prettier-ignore
const pod = (node: string, of: string): object => ({
  apiVersion: 'v1', kind: 'Pod', metadata: { name: `on-${node}`, namespace: 'default' },
  spec: {
    nodeName: node, terminationGracePeriodSeconds: 1, securityContext: { runAsUser: 1000 },
    containers: [{ name: 'main', image: 'strata.local/web:1', imagePullPolicy: 'IfNotPresent', command: ['sleep', '3600'], volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: of } }],
  },
}); // prettier-ignore
const inPod = (node: string, script: string): Promise<string> => world.server.kubectl(world.cluster, ['exec', `on-${node}`, '--', 'sh', '-c', script], 300_000);
const phaseOf = (name: string): Promise<string> => kubectl('get', 'pvc', name, '-o', 'jsonpath={.status.phase}');
const bound = (name: string): Promise<true> =>
  until(`the claim ${name} to have its volume`, 90_000, async () => ((await phaseOf(name)) === 'Bound' ? true : null));
const volumeOf = (name: string): Promise<string> => kubectl('get', 'pvc', name, '-o', 'jsonpath={.spec.volumeName}');
const folderOf = async (name: string): Promise<string> => kubectl('get', 'pv', await volumeOf(name), '-o', 'jsonpath={.spec.hostPath.path}');
const status = async (): Promise<StorageStatus> =>
  JSON.parse((await world.server.strata(['storage', 'status', '-o', 'json'], { timeoutMs: 90_000 })).stdout) as StorageStatus;

test(
  'a claim is met within the time that mounts take to hear of it; pods on both nodes have one folder, as anybody',
  async () => {
    const began = performance.now();
    await create(claim('data'), ...nodes.map((node) => pod(node, 'data')));
    await bound('data');
    process.stdout.write(`    claim to volume: ${Math.round(performance.now() - began)} ms\n`);
    for (const node of nodes) await kubectl('wait', '--for=condition=Ready', `pod/on-${node}`, '--timeout=120s');
    await inPod('n1', 'echo from-n1 > /data/letter');
    expect(await inPod('n2', 'cat /data/letter')).toBe('from-n1\n');
    expect(await folderOf('data')).toMatch(new RegExp(`^${path}/volumes/default/data-[0-9a-f-]{36}$`));
  },
  long,
);

test(
  'who writes over it is refused, on each node; what it holds is no more than the claim',
  async () => {
    const said = await inPod('n1', 'dd if=/dev/zero of=/data/big bs=1M count=1300 2>&1; echo "ended with $?"');
    expect(said).toMatch(/Disk quota exceeded|Quota exceeded/i);
    expect(said).not.toMatch(/ended with 0/);
    const other = await until('n2 to be refused too', 60_000, async () => {
      const tried = await inPod('n2', 'dd if=/dev/zero of=/data/more bs=1M count=200 2>&1; echo "ended with $?"; rm -f /data/more');
      return /quota exceeded/i.test(tried) ? tried : null;
    });
    process.stdout.write(`    over its quota, n1: ${said.trim().replaceAll('\n', '; ')}\n    n2: ${other.trim().replaceAll('\n', '; ')}\n`);
    const bytes = Number((await inNode('n1', ['du', '-s', '-B1', '--apparent-size', await folderOf('data')])).split('\t')[0]);
    process.stdout.write(`    bytes in the folder of 1 GiB: ${bytes}\n`);
    expect(bytes).toBeLessThan(1.15 * 2 ** 30); // writers that do not know of each other yet may each go over by what they have in hand
    const [v] = (
      await until('the status to know how full it is', 60_000, async () => {
        const now = await status();
        return (now.volumes[0]?.used ?? 0) > 0.9 * 2 ** 30 ? now : null;
      })
    ).volumes;
    expect(v).toMatchObject({ namespace: 'default', claim: 'data', phase: 'Bound', size: 2 ** 30 });
    expect(await world.server.strata(['storage', 'status'], { timeoutMs: 90_000 })).toMatchObject({
      stdout: expect.stringMatching(/default\/data +Bound +1\.0 GiB/) as string,
    });
  },
  long,
);

test('a claim that asks for more gets it, and there is room again', async () => {
  await kubectl('patch', 'pvc', 'data', '--type=merge', '-p', JSON.stringify({ spec: { resources: { requests: { storage: '2Gi' } } } }));
  await until('the claim to have 2 GiB', 90_000, async () => ((await kubectl('get', 'pvc', 'data', '-o', 'jsonpath={.status.capacity.storage}')) === '2Gi' ? true : null));
  for (const node of nodes) expect(await inPod(node, `dd if=/dev/zero of=/data/again-${node} bs=1M count=50 2>&1; echo "ended with $?"`)).toMatch(/ended with 0/);
}, long); // prettier-ignore

test(
  'a server that dies meanwhile goes on; a claim that cannot be met says why',
  async () => {
    await create(claim('late'), claim('block', { volumeMode: 'Block' }));
    await until('the work to have begun', 30_000, async () =>
      (await inNode('n1', ['sh', '-c', `ls ${path}/volumes/default`])).includes('late-') ? true : null,
    );
    await world.server.backAs('server', world.server.kill('server'));
    await bound('late');
    await until('the reason to be told', 60_000, async () => (/folder, not a block device/.test(await kubectl('describe', 'pvc', 'block')) ? true : null));
    expect(await phaseOf('block')).toBe('Pending');
  },
  long,
);

test(
  'what is deleted stays by default; where the class says Delete it goes into the trash',
  async () => {
    const scratch = {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: 'scratch' },
      provisioner: 'strata.local/shared',
      reclaimPolicy: 'Delete',
    };
    await create(scratch, claim('gone', { storageClassName: 'scratch' }));
    await bound('gone');
    const [kept, goes, volume] = [await folderOf('late'), await folderOf('gone'), await volumeOf('gone')];
    for (const folder of [kept, goes]) await inNode('n1', ['sh', '-c', `echo mine > ${folder}/mine-of-a-claim`]);
    await kubectl('delete', 'pvc', 'late', 'gone', '--wait=true');
    await until('the volume to be gone', 90_000, async () => ((await kubectl('get', 'pv', '-o', 'name')).includes(volume) ? null : true));
    expect(await world.lab.exec('n2', ['test', '-e', goes])).toMatchObject({ code: 1 });
    expect(await inNode('n2', ['cat', `${kept}/mine-of-a-claim`])).toBe('mine\n');
    expect(await inNode('n1', ['sh', '-c', `find ${path}/.trash -name '*mine-of-a-claim'`])).toMatch(/mine-of-a-claim/);
  },
  long,
);
