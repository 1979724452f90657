import { TaskError } from '@strata/tasks';
import { connectCluster, deleteBootstrapToken, mintBootstrapToken, StorageMarks, storageTaint } from './index';
import { FakeApi } from './testing/fake-api';

const failure = async (call: Promise<unknown>): Promise<TaskError> => {
  const error: unknown = await call.then(() => null, (e: unknown) => e); // prettier-ignore
  if (error instanceof TaskError) return error;
  throw new Error(`not a TaskError: ${String(error)}`);
};

describe('a cluster by its API', () => {
  const api = new FakeApi();
  const deadlines = { callMs: 1500, readyMs: 1500 }; // a busy machine answers late
  beforeAll(() => api.start());
  afterAll(() => api.stop());
  beforeEach(() => api.asked.splice(0));
  const cluster = (): ReturnType<typeof connectCluster> => connectCluster(api.kubeconfig, deadlines);

  it('trusts the name of tls-server-name at an address, and no other name', async () => {
    api.answers.set('GET /readyz', { status: 200, body: 'ok' });
    expect(await cluster().ready()).toBe(true);
    expect(await connectCluster(api.kubeconfig.replace('api.home', 'api.other'), deadlines).ready()).toBe(false);
    api.answers.set('GET /readyz', { status: 500, body: 'not yet' });
    expect(await cluster().ready()).toBe(false);
  });
  it('ends a call that is never answered, and says what was tried', async () => {
    api.answers.set('GET /api/v1/nodes', 'never');
    const error = await failure(cluster().nodes());
    expect(error).toMatchObject({ code: 'cluster-unreachable', retry: true });
    expect(error.message).toContain('list the nodes');
  });
  it('keeps its connection from call to call, and makes a new one when it broke', async () => {
    const one = cluster();
    const before = api.connections;
    for (let i = 0; i < 10; i++) await one.node(`n${i}`);
    await one.ready();
    const made = api.connections;
    expect(made).toBeLessThanOrEqual(before + 2); // the next call may come while the first connection is not yet free
    api.cut();
    await one.node('n1').catch(() => null); // may meet the broken one
    expect(await one.node('n1')).toBeNull();
    expect(api.connections).toBeGreaterThan(made);
  });
  it('tells "not there" from "may not"', async () => {
    expect(await cluster().node('n9')).toBeNull();
    expect(await cluster().get({ apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'x' })).toBeNull();
    await expect(cluster().deleteNode('n9')).resolves.toBeUndefined();
    api.answers.set('GET /api/v1/nodes/n8', { status: 403, body: { kind: 'Status', message: 'forbidden: nodes', code: 403 } });
    const error = await failure(cluster().node('n8'));
    expect([error.code, error.retry]).toEqual(['cluster-api', false]);
    expect(error.message).toContain('forbidden: nodes');
  });
  it('applies on the server side, as strata, forced', async () => {
    api.answers.set('PATCH /apis/apps/v1/namespaces/default/deployments/web', { status: 200, body: {} });
    await cluster().apply([{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' } }]);
    const patch = api.asked.find((a) => a.method === 'PATCH');
    expect(patch?.path).toContain('fieldManager=strata');
    expect(patch?.path).toContain('force=true');
    expect(patch?.type).toContain('apply-patch');
  });
  it('changes of a node only what was asked', async () => {
    api.answers.set('PATCH /api/v1/nodes/n2', { status: 200, body: {} });
    await cluster().patchNode('n2', { unschedulable: true });
    const patch = api.asked.find((a) => a.method === 'PATCH');
    expect(patch?.type).toContain('merge-patch');
    expect(JSON.parse(patch?.body ?? '')).toEqual({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n2' }, spec: { unschedulable: true } });
  });
  it('mints a token that names its node, may only authenticate, and ends by itself', async () => {
    const bodies: string[] = [];
    const fake = {
      apply: async (objects: readonly object[]) => Promise.resolve(void bodies.push(JSON.stringify(objects))),
      delete: async (ref: object) => Promise.resolve(void bodies.push(JSON.stringify(ref))),
    };
    const token = await mintBootstrapToken(fake as never, 'n2');
    expect(token.value).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
    const [secret] = JSON.parse(bodies[0] ?? '') as { metadata: { name: string }; stringData: Record<string, string> }[];
    expect(secret?.metadata.name).toBe(`bootstrap-token-${token.id}`);
    expect(secret?.stringData).toMatchObject({
      description: 'the join of node n2',
      'usage-bootstrap-signing': 'false',
      'auth-extra-groups': 'system:bootstrappers:kubeadm:default-node-token',
    });
    expect(Date.parse(secret?.stringData.expiration ?? '') - Date.now()).toBeLessThanOrEqual(30 * 60_000);
    await deleteBootstrapToken(fake as never, token.id);
    expect(bodies[1]).toContain(`bootstrap-token-${token.id}`);
  });
  it('sends objects as they are, also what the library has under another name or not at all', async () => {
    const resources = [{ name: 'networkpolicies', kind: 'NetworkPolicy', namespaced: true, singularName: '', verbs: [] }];
    api.answers.set('GET /apis/networking.k8s.io/v1', { status: 200, body: { kind: 'APIResourceList', groupVersion: 'networking.k8s.io/v1', resources } });
    api.answers.set('PATCH /apis/networking.k8s.io/v1/namespaces/office/networkpolicies/p', { status: 200, body: {} });
    const policy = {
      apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'p', namespace: 'office' },
      spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }], default: { a: null }, 'x-kubernetes-later': true },
    }; // prettier-ignore
    await cluster().apply([policy]);
    const sent = api.asked.find((a) => a.method === 'PATCH' && a.path.includes('/networkpolicies/p'));
    expect([JSON.parse(sent?.body ?? ''), sent?.type]).toEqual([policy, expect.stringContaining('apply-patch')]);
  });
  it('refuses a text that is no kubeconfig', () => {
    expect(() => connectCluster(': [')).toThrow('cannot be read');
    expect(() => connectCluster('{}')).toThrow();
  });
});

describe('what Kubernetes is told of a shared mount', () => {
  const api = new FakeApi();
  beforeAll(() => api.start());
  afterAll(() => api.stop());
  beforeEach(() => api.asked.splice(0));
  const foreign = { key: 'somebody/else', effect: 'NoSchedule' };
  const bad = { reason: 'MountHangs', message: 'it hangs' };
  const nodeIs = (taints: object[], conditions: object[]): void => {
    const body = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', resourceVersion: '7' }, spec: { taints }, status: { conditions } };
    api.answers.set('GET /api/v1/nodes/n1', { status: 200, body });
    for (const path of ['/api/v1/nodes/n1', '/api/v1/nodes/n1/status']) api.answers.set(`PATCH ${path}`, { status: 200, body });
  };
  const patches = (): [string, string, unknown][] =>
    api.asked.filter((a) => a.method === 'PATCH').map((a) => [a.path.split('?')[0]!, a.type, JSON.parse(a.body)]);

  test('a bad one: a taint beside those of others, by the version that was read, and a condition with the reason', async () => {
    nodeIs([foreign], [{ type: 'Ready', status: 'True' }]);
    expect(await new StorageMarks(api.kubeconfig).mark('n1', bad)).toBe(true);
    const [[, , taint], [path, type, status]] = patches() as [[string, string, unknown], [string, string, unknown]];
    expect(taint).toMatchObject({ metadata: { resourceVersion: '7' }, spec: { taints: [foreign, storageTaint] } });
    expect([path, type]).toEqual(['/api/v1/nodes/n1/status', 'application/strategic-merge-patch+json']);
    expect(status).toEqual({ status: { conditions: [expect.objectContaining({ type: 'StrataStorage', status: 'False', ...bad })] } });
  });
  test('a good one: both are taken back, the others’ stay; nothing is changed where nothing is', async () => {
    nodeIs([foreign, storageTaint], [{ type: 'StrataStorage', status: 'False', ...bad }]);
    expect(await new StorageMarks(api.kubeconfig).mark('n1', null)).toBe(true);
    expect(patches().map(([, , body]) => body)).toEqual([
      expect.objectContaining({ spec: { taints: [foreign] } }),
      { status: { conditions: [{ type: 'StrataStorage', $patch: 'delete' }] } },
    ]);
    api.asked.length = 0;
    nodeIs([foreign], []);
    expect([await new StorageMarks(api.kubeconfig).mark('n1', null), await new StorageMarks(api.kubeconfig).mark('n2', bad)]).toEqual([false, false]);
    expect(patches()).toEqual([]);
  });
  test('pods with the path, something in it, or what is above it, also by a claim; not those with the whole machine', async () => {
    const pod = (name: string, path: string): object => ({ metadata: { name, namespace: 'a' }, spec: { volumes: [{ name: 'v', hostPath: { path } }] } });
    const claims = (name: string, claimName: string): object => ({
      metadata: { name, namespace: 'a' },
      spec: { volumes: [{ name: 'v', persistentVolumeClaim: { claimName } }] },
    });
    const volume = (path: string, name: string): object => ({
      metadata: { name: `pvc-${name}` },
      spec: { hostPath: { path }, claimRef: { namespace: 'a', name } },
    });
    const items = [pod('same', '/strata/rootfs'), pod('in', '/strata/rootfs/common'), pod('above', '/strata'), pod('beside', '/strata/rootfs2'), pod('all', '/'), claims('claims', 'data'), claims('other', 'else'), { metadata: { name: 'none', namespace: 'a' }, spec: {} }]; // prettier-ignore
    api.answers.set('GET /api/v1/pods', { status: 200, body: { apiVersion: 'v1', kind: 'PodList', items } });
    const volumes = [volume('/strata/rootfs/volumes/a/data-1', 'data'), volume('/elsewhere', 'else')];
    api.answers.set('GET /api/v1/persistentvolumes', { status: 200, body: { apiVersion: 'v1', kind: 'PersistentVolumeList', items: volumes } });
    expect(await new StorageMarks(api.kubeconfig).podsOn('n1', '/strata/rootfs')).toEqual(['a/same', 'a/in', 'a/above', 'a/claims']);
    expect(api.asked.some((a) => a.path.includes('spec.nodeName%3Dn1'))).toBe(true);
  });
});
