import type { ClusterSpecInput, Plan } from '@strata/model';
import { plan } from './index';
import { intentOf, nodesOf, requestOf, specOf } from './testing/fixtures';

const objects = { kind: 's3', endpoint: 'https://s3.example:9000/', bucket: 'ours', accessKeyFrom: 'env:A', secretKeyFrom: 'file:~/key' } as const;
const spec = (storage: ClusterSpecInput['spec']['storage'] = { kind: 'juicefs', objects }): ReturnType<typeof specOf> => specOf({ nodes: nodesOf(3), storage });
const stepOf = (made: Plan, key: string): Plan['steps'][number] => made.steps.find((s) => s.key === key) as Plan['steps'][number];
const enrolled = new Map(['n1', 'n2', 'n3'].map((name) => [name, `id-${name}`]));
const place = { endpoint: 'https://s3.example:9000', region: 'us-east-1', bucket: 'ours' };
const key = { access: { $secret: 'given:bucket-access' }, secret: { $secret: 'given:bucket-secret' } };

describe('a bucket of somebody else', () => {
  const made = plan(requestOf(spec()));

  it('has no object store on a node, and opens no port for one', () => {
    expect(made.steps.filter((s) => /^objects\.(seaweedfs|minio)$|artifact.obtain@(seaweedfs|minio)/.test(s.task) || /@(seaweedfs|minio)/.test(s.key))).toEqual(
      [],
    );
    expect(JSON.stringify(stepOf(made, 'n1/firewall.open').input)).not.toMatch(/8333|9000/);
  });
  it('is tried by each node with the volume’s own key, before anything else is changed there', () => {
    for (const node of ['n1', 'n2', 'n3']) {
      expect(stepOf(made, `${node}/objects.check`)).toMatchObject({ needs: [`${node}/agent.install`], input: { place, ...key } });
      expect(stepOf(made, `${node}/kernel.modules`).needs).toEqual([`${node}/objects.check`]);
      expect(stepOf(made, 'n1/storage.format').needs).toContain(`${node}/objects.check`);
    }
    expect(stepOf(made, 'n1/storage.format').input).toMatchObject({ s3: place, ...key });
    expect(stepOf(made, 'n2/juicefs.mount').input).toMatchObject({ s3: place });
  });
  it('is tried by a node that comes later', () => {
    const added = plan(requestOf(spec(), { enrolled: new Map([['n1', 'id-n1'], ['n2', 'id-n2']]), intent: intentOf('add-node', ['n3']) })); // prettier-ignore
    expect(added.steps.filter((s) => s.task === 'objects.check').map((s) => s.key)).toEqual(['n3/objects.check']);
  });
});

describe('the data in an uninstall', () => {
  const made = (storage: ClusterSpecInput['spec']['storage'], intent: object = {}, more: object = {}): Plan =>
    plan(requestOf(spec(storage), { enrolled, intent: { ...intentOf('uninstall'), ...intent }, ...more }));

  it('stay by default, and their places are named', () => {
    const kept = made({ kind: 'juicefs', objects });
    expect(kept.steps.filter((s) => s.task === 'storage.erase')).toEqual([]);
    expect(kept.skipped.map((s) => s.because)).toEqual([expect.stringMatching(/they stay in n1:\/var\/lib\/strata-metadata \(and -mark, -dumps beside it\) and the bucket ours at https:\/\/s3.example:9000; --delete-data/)]);
    expect(made({ kind: 'juicefs', objects: { kind: 'minio', node: 'n2' } }).skipped[0]?.because).toMatch(/n1:\/var\/lib\/strata-metadata \(and -mark, -dumps beside it\) and n2:\/var\/lib\/strata-minio/);
  }); // prettier-ignore
  it('go when asked, after all nodes have let go of the tree and before the agent goes', () => {
    const gone = made({ kind: 'juicefs', objects }, { deleteData: true });
    expect(gone.steps.filter((s) => s.task === 'storage.erase').map((s) => s.key)).toEqual(['n1/storage.erase']);
    expect(stepOf(gone, 'n1/storage.erase').input).toEqual({ cluster: 'home', parts: ['metadata'], bucket: { place, ...key } });
    const all = new Set<string>();
    const walk = (step: string): void => stepOf(gone, step).needs.forEach((need) => all.has(need) || (all.add(need), walk(need)));
    walk('n1/storage.erase');
    for (const node of ['n1', 'n2', 'n3']) expect(all).toContain(`${node}/juicefs.mount`);
    expect(stepOf(gone, 'n1/agent.remove').needs).toContain('n1/storage.erase');
    expect(gone.skipped).toEqual([]);
    const both = made({ kind: 'juicefs', objects: { kind: 'minio', node: 'n2' } }, { deleteData: true });
    expect(both.steps.filter((s) => s.task === 'storage.erase').map((s) => s.input)).toEqual([{ cluster: 'home', parts: ['metadata'] }, { cluster: 'home', parts: ['minio'] }]);
  }); // prettier-ignore
  it('are not deleted under a node that cannot be reached, and there are none of a local tree', () => {
    expect(() => made({ kind: 'juicefs', objects }, { deleteData: true }, { absent: ['n3'] })).toThrow(/n3 cannot be reached, and may still write/);
    expect(() => made({ kind: 'local' }, { deleteData: true })).toThrow(/no shared file system/);
  });
});
