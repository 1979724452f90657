import type { V1Pod } from '@kubernetes/client-node';
import { podView, workloadOf } from './pod-view';

const pod = (more: object = {}, status: object = {}): V1Pod =>
  ({
    metadata: { name: 'web-5f-1', namespace: 'shop', labels: { 'pod-template-hash': '5f' }, ownerReferences: [{ kind: 'ReplicaSet', name: 'web-5f', controller: true }], ...more },
    spec: { nodeName: 'n1', containers: [{ name: 'main' }] },
    status: { phase: 'Running', startTime: new Date(5), conditions: [{ type: 'Ready', status: 'True' }], containerStatuses: [{ name: 'main', ready: true, restartCount: 2, state: { running: {} } }], ...status },
  }) as unknown as V1Pod; // prettier-ignore
const waiting = (reason: string, more: object = {}): object => ({ containerStatuses: [{ name: 'main', ready: false, restartCount: 1, state: { waiting: { reason, ...more } }, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }] }); // prettier-ignore
const usage = { cpuMillis: 3, memoryBytes: 4 };

test('its workload is the Deployment behind the ReplicaSet, or its owner, or none', () => {
  expect(workloadOf(pod())).toEqual({ kind: 'Deployment', name: 'web' });
  expect(workloadOf(pod({ ownerReferences: [{ kind: 'DaemonSet', name: 'logs', controller: true }] }))).toEqual({ kind: 'DaemonSet', name: 'logs' });
  expect(workloadOf(pod({ ownerReferences: undefined }))).toBeNull();
});
test('a pod that is well', () => {
  expect(podView(pod(), { release: 'front', usage })).toEqual({
    name: 'web-5f-1', namespace: 'shop', node: 'n1', layer: 'containerized', release: 'front', state: 'Running', ready: { containers: 1, of: 1 }, restarts: 2, startedAt: 5, trouble: null, usage,
  }); // prettier-ignore
  expect(podView(pod({ namespace: 'kube-system', labels: { 'app.kubernetes.io/instance': 'own' } }), { release: 'front', usage: null })).toMatchObject({ layer: 'orchestration', release: 'own' }); // prettier-ignore
});
test.each<[object, string, string | null]>([
  [waiting('CrashLoopBackOff'), 'CrashLoopBackOff', 'main: ended with 137 (OOMKilled)'],
  [waiting('ErrImagePull', { message: 'no such host' }), 'ErrImagePull', 'main: ErrImagePull: no such host'],
  [waiting('ContainerCreating'), 'ContainerCreating', null],
  [{ phase: 'Pending', containerStatuses: undefined, conditions: [{ type: 'PodScheduled', status: 'False', message: '0/1 nodes are available' }] }, 'Pending', 'no node takes it: 0/1 nodes are available'],
  [{ conditions: [{ type: 'Ready', status: 'False' }], containerStatuses: [{ name: 'main', ready: false, restartCount: 0, state: { running: {} } }] }, 'Running', 'main: runs, but is not ready'],
  [{ phase: 'Succeeded', containerStatuses: [{ name: 'main', ready: false, restartCount: 0, state: { terminated: { exitCode: 0, reason: 'Completed' } } }] }, 'Completed', null],
])('%j', (status, state, trouble) => {
  expect(podView(pod({}, status), { release: null, usage: null })).toMatchObject({ state, trouble });
}); // prettier-ignore
