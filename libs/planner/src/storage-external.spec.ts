import type { ClusterSpecInput, Plan } from '@strata/model';
import { plan } from './index';
import { intentOf, nodesOf, requestOf, specOf } from './testing/fixtures';

const url = 'postgres://strata@db.example:5432/strata';
const metadata = { kind: 'external', url, passwordFrom: 'env:P' } as const;
const s3 = { kind: 's3', endpoint: 'https://s3.example:9000', bucket: 'ours', accessKeyFrom: 'env:A', secretKeyFrom: 'file:~/key' } as const;
type Objects = NonNullable<ClusterSpecInput['spec']['storage']>['objects'];
const spec = (objects?: Objects): ReturnType<typeof specOf> =>
  specOf({ nodes: nodesOf(3), storage: { kind: 'juicefs', metadata, ...(objects ? { objects } : {}) } });
const stepOf = (made: Plan, key: string): Plan['steps'][number] => made.steps.find((s) => s.key === key) as Plan['steps'][number];
const keysOf = (made: Plan, task: RegExp): string[] => made.steps.filter((s) => task.test(s.task)).map((s) => s.key);
const before = (made: Plan, key: string): string[] => [...new Set(stepOf(made, key).needs.flatMap((k) => [k, ...before(made, k)]))];
const enrolled = new Map(['n1', 'n2', 'n3'].map((name) => [name, `id-${name}`]));
const names = ['n1', 'n2', 'n3'];
const password = { $secret: 'given:metadata-password' };
const authority = 'cluster/storage.authority';
const ofObjects = { $output: authority, path: 'caPem' };

describe('metadata of somebody else', () => {
  it('have no service, port, package or dump of ours', () => {
    const made = plan(requestOf(spec()));
    expect(keysOf(made, /^metadata\.(?!check)|precheck\.storage/)).toEqual([]);
    for (const name of names) {
      expect(JSON.stringify(stepOf(made, `${name}/firewall.open`).input)).not.toContain('6390');
      expect(JSON.stringify(stepOf(made, `${name}/packages.install`).input)).not.toContain('redis');
    }
  });
  it('are tried by each node before anything is changed there, and before there is a volume', () => {
    const made = plan(requestOf(spec()));
    for (const name of names) {
      expect(stepOf(made, `${name}/metadata.check`)).toMatchObject({ needs: [`${name}/agent.install`], input: { place: { url }, password } });
      expect(stepOf(made, `${name}/kernel.modules`).needs).toEqual([`${name}/metadata.check`]);
      expect(stepOf(made, 'n1/storage.format').needs).toContain(`${name}/metadata.check`);
      expect(stepOf(made, `${name}/juicefs.mount`)).toMatchObject({ input: { external: { url }, password } });
    }
  });
  it('and a bucket of somebody else are tried side by side', () => {
    const made = plan(requestOf(spec(s3)));
    for (const check of ['metadata.check', 'objects.check']) expect(stepOf(made, `n2/${check}`).needs).toEqual(['n2/agent.install']);
    expect(stepOf(made, 'n2/kernel.modules').needs).toEqual(expect.arrayContaining(['n2/metadata.check', 'n2/objects.check']));
    expect(keysOf(made, /storage\.authority/)).toEqual([]);
    expect(JSON.stringify(stepOf(made, 'n3/juicefs.mount').input)).not.toContain('caPem');
    expect(stepOf(made, 'n3/juicefs.mount')).toMatchObject({ needs: expect.arrayContaining(['n1/storage.format']) as string[] });
  });
  it('leave it to the server to say whom to trust for them', () => {
    const objects = { kind: 'minio', node: 'n2' } as const;
    const made = plan(requestOf(spec(objects)));
    for (const step of ['n1/storage.format', 'n3/juicefs.mount']) expect(stepOf(made, step).input).toMatchObject({ caPem: ofObjects });
    expect(stepOf(made, 'n3/objects.check').input).toMatchObject({ place: { caPem: ofObjects } });
    const added = plan(requestOf(spec(objects), { enrolled: new Map([['n1', 'id-n1'], ['n2', 'id-n2']]), intent: intentOf('add-node', ['n3']) })); // prettier-ignore
    expect(keysOf(added, /^(metadata|objects|storage|juicefs)\./)).toEqual(
      expect.arrayContaining([authority, 'n3/metadata.check', 'n3/objects.check', 'n3/juicefs.mount']),
    );
    expect(keysOf(added, /^storage\.format$/)).toEqual([]);
    expect(keysOf(added, /^objects\.minio$/)).toEqual([]);
    expect(before(added, 'n3/juicefs.mount')).toContain(authority);
  });
  it('need nothing of another node to be mounted by a node that comes later, where the objects are not ours either', () => {
    const added = plan(requestOf(spec(s3), { enrolled: new Map([['n1', 'id-n1'], ['n2', 'id-n2']]), intent: intentOf('add-node', ['n3']) })); // prettier-ignore
    expect(keysOf(added, /^(metadata|objects)\./).sort()).toEqual(['n3/metadata.check', 'n3/objects.check']);
  });
  it('are known to a node that leaves, which is said', () => {
    const made = plan(requestOf(spec(s3), { enrolled, intent: intentOf('remove-node', ['n3']) }));
    expect(made.skipped).toEqual([expect.objectContaining({ what: 'the password of the metadata', because: expect.stringMatching(/n3 had it/) as string })]);
  });
});

describe('a restore of metadata with somebody else', () => {
  const made = (objects: Objects, more: object = {}, from = 'current'): Plan =>
    plan(requestOf(spec(objects), { enrolled, intent: { ...intentOf('restore-storage'), from: from }, ...more }));
  it.each([['ours', { kind: 'minio', node: 'n2' } as const], ['theirs', s3]])('counts up when every node has left, and all mount after that; objects are %s', (_, objects) => {
    const plan = made(objects);
    for (const name of names) {
      expect(before(plan, 'n1/metadata.raise')).toContain(`${name}/storage.leave`);
      expect(before(plan, `${name}/juicefs.mount`)).toContain('n1/metadata.raise');
      expect(before(plan, `${name}/view.read`)).toContain(`${name}/juicefs.mount`);
    }
    expect(stepOf(plan, 'n1/metadata.raise').input).toMatchObject({ external: { url }, password, seen: names.map((name) => ({ $output: `${name}/storage.leave`, path: 'seen' })) });
    expect(keysOf(plan, /storage\.(fence|load|settle)/)).toEqual([]);
  }); // prettier-ignore
  it('takes no dump, and says what to do', () => {
    for (const from of ['latest', 'dump-2.json.gz']) expect(() => made(s3, {}, from)).toThrow(/with somebody else \(postgres:/);
  });
  it('is refused while a node is away, which nobody can shut out', () => {
    const refusal = (): unknown => {
      try {
        return made(s3, { absent: ['n3'] });
      } catch (error) {
        return error;
      }
    };
    expect(refusal()).toMatchObject({ code: 'storage.unfenced', remedy: expect.stringMatching(/see that it is off[^]*another password/) as string });
  });
  it.each(['drill-storage', 'failover-storage'] as const)('%s is refused: there is no replica of ours', (kind) => {
    expect(() => plan(requestOf(spec(s3), { enrolled, intent: intentOf(kind) }))).toThrow(/with somebody else \(postgres:[^]*no replica of ours/);
  });
});

describe('the metadata of somebody else in an uninstall', () => {
  const made = (objects: Objects, deleteData: boolean): Plan => plan(requestOf(spec(objects), { enrolled, intent: { ...intentOf('uninstall'), deleteData } }));
  it('stay by default, and their place is named', () => {
    expect(made({ kind: 'minio', node: 'n2' }, false).skipped.map((s) => s.because)).toEqual([
      expect.stringMatching(/they stay in n2:\/var\/lib\/strata-minio and the metadata at postgres:\/\/strata@db.example:5432\/strata; --delete-data/),
    ]);
  });
  it('go when asked, with the objects', () => {
    const erased = (objects: Objects): [string, unknown][] => made(objects, true).steps.filter((s) => s.task === 'storage.erase').map((s) => [s.key, s.input]); // prettier-ignore
    const theirs = { metadata: { place: { url }, password } };
    expect(erased(s3)).toEqual([
      ['n1/storage.erase', expect.objectContaining({ cluster: 'home', parts: [], bucket: expect.anything() as unknown, ...theirs })],
    ]);
    expect(erased({ kind: 'minio', node: 'n2' })).toEqual([
      ['n1/storage.erase', { cluster: 'home', parts: [], ...theirs }],
      ['n2/storage.erase', { cluster: 'home', parts: ['minio'] }],
    ]);
  });
});

describe('a migration to metadata with somebody else', () => {
  it('tries them before anything is changed, and needs no room for them', () => {
    const made = plan(requestOf(spec(s3), { enrolled, intent: intentOf('migrate-storage', ['n1']) }));
    expect(keysOf(made, /^migration\.room$/)).toEqual([]);
    for (const name of names) {
      for (const check of ['metadata.check', 'objects.check']) expect(stepOf(made, `${name}/${check}`).phase).toBe('precheck');
      expect(before(made, `${name}/hosts.block`)).toContain(`${name}/metadata.check`);
    }
    expect(before(made, 'n2/juicefs.side-mount')).toContain('n1/storage.format');
  });
});
