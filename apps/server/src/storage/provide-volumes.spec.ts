import { sharedClass, type VolumeAsk } from '@strata/model';
import type { KubeObject } from '@strata/tasks';
import type { Session } from '../sessions/sessions';
import { ProvideVolumes } from './provide-volumes';

const uid = '0f2a2f6e-1111-4222-8333-444455556666';
const path = '/strata/rootfs';
const claim = {
  apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'home', uid },
  spec: { storageClassName: sharedClass.name, resources: { requests: { storage: '1Gi' } } }, status: { phase: 'Pending' },
} as unknown as KubeObject; // prettier-ignore
const shared: KubeObject = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: sharedClass.name }, provisioner: sharedClass.provisioner, reclaimPolicy: 'Delete' }; // prettier-ignore

/** A server with three nodes, of which n3's mount is of no use: what was asked and made, in order. */
function server(): { provide: ProvideVolumes; done: string[]; volumes: KubeObject[]; refuse: (words: string | null) => void; later: (ms: number) => void } {
  const done: string[] = [];
  const volumes: KubeObject[] = [];
  let [refusal, now]: [string | null, number] = [null, 1_000_000];
  const provide = new ProvideVolumes();
  const sessions = ['n1', 'n2', 'n3'].map((name) => ({ name, nodeId: name, clusterId: 'c' }) as Session);
  const kubernetes = {
    seen: () => Promise.resolve({ classes: [shared], claims: [claim], volumes }),
    volumes: () => Promise.resolve(volumes),
    make: (v: KubeObject) => Promise.resolve(void [done.push(`make ${v.metadata.name}`), volumes.push({ ...v, status: { phase: 'Bound' } })]),
    drop: (name: string) => Promise.resolve(void [done.push(`drop ${name}`), volumes.splice(0)]),
    tell: (_: unknown, words: string) => Promise.resolve(void done.push(`tell ${words}`)),
  };
  const ask = (s: Session, look: { what: string; input: VolumeAsk }): Promise<unknown> => {
    if (look.what === 'volumes') return Promise.resolve([{ uid, size: 2 ** 30, used: 5 }]);
    done.push(`${s.name} ${look.input.want}`);
    return refusal === null ? Promise.resolve({}) : Promise.reject(new Error(refusal));
  };
  const cluster = { id: 'c', name: 'home', kubeconfig: 'sealed', state: 'ready', specVersion: 1 };
  const spec = { spec: { storage: { kind: 'juicefs', path }, nodes: [{ name: 'n1', role: 'control-plane', nat: false }] } };
  Object.assign(provide, {
    edges: {
      now: () => now, log: { info: () => undefined, warn: () => undefined, debug: () => undefined }, sessions: { all: () => sessions },
      store: { clusters: { list: () => Promise.resolve([cluster]), spec: () => Promise.resolve(spec) } },
    },
    clusters: { sharedVolumes: () => Promise.resolve(kubernetes) },
    asks: { ask },
    marks: { of: (id: string) => ({ state: id === 'n3' ? 'dead' : 'ok' }) },
  }); // prettier-ignore
  return { provide, done, volumes, refuse: (words) => (refusal = words), later: (ms) => (now += ms) };
}
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

test('one node makes the folder, every other whose mount is well must keep the quota, and only then there is a volume; once', async () => {
  const { provide, done } = server();
  for (let n = 0; n < 2; n += 1) {
    await provide.lookAtAll();
    await settled();
  }
  expect(done).toEqual(['n1 there', 'n2 seen', `make pvc-${uid}`]);
  expect(await provide.show('c', path)).toEqual([{ namespace: 'home', claim: 'data', volume: `pvc-${uid}`, phase: 'Bound', size: 2 ** 30, used: 5 }]);
});
test('what cannot be is told once to whoever claimed, and tried again after a while', async () => {
  const { provide, done, refuse, later } = server();
  refuse('the tree is read-only');
  for (let n = 0; n < 3; n += 1) {
    await provide.lookAtAll();
    await settled();
    later(6_000);
  }
  expect(done).toEqual(['n1 there', 'tell the tree is read-only', 'n1 there']);
  refuse(null);
  later(10_000);
  await provide.lookAtAll();
  await settled();
  expect(done.at(-1)).toBe(`make pvc-${uid}`);
});
test('a volume that nobody claims goes with its folder, the folder first', async () => {
  const { provide, done, volumes } = server();
  await provide.lookAtAll();
  await settled();
  Object.assign(volumes[0] ?? {}, { status: { phase: 'Released' } });
  await provide.lookAtAll();
  await settled();
  expect(done.slice(3, 5)).toEqual(['n1 gone', `drop pvc-${uid}`]);
});
