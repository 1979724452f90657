import type { KubeObject } from '../ports/cluster';
import { MemoryCluster } from '../testing';
import { troubleOf } from './trouble';

const web = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', namespace: 'shop' };
const labels = { app: 'web' };
const workload = (status: object = {}): KubeObject => ({
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'shop' }, spec: { selector: { matchLabels: labels } }, status,
}); // prettier-ignore
const pod = (status: object): KubeObject => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web-1', namespace: 'shop', labels }, status });
const waiting = (reason: string, more: object = {}): object => ({ containerStatuses: [{ name: 'main', image: 'shop/web:9', state: { waiting: { reason } }, ...more }] }); // prettier-ignore
const event = (of: { kind: string; name: string }, reason: string, message: string): KubeObject => ({
  apiVersion: 'v1', kind: 'Event', metadata: { name: `${of.name}.${reason}`, namespace: 'shop' }, reason, message, lastTimestamp: '2026-01-01T00:00:00Z',
  involvedObject: { ...of, fieldPath: 'spec.containers{main}' },
}); // prettier-ignore

async function trouble(objects: KubeObject[], said?: string): Promise<string | null> {
  const cluster = new MemoryCluster();
  cluster.up = () => true;
  await cluster.apply(objects);
  if (said !== undefined) cluster.said.set('shop/web-1/main', said);
  return troubleOf(cluster, web);
}

describe('why pods do not work', () => {
  it.each<[string, KubeObject[], string | { said: string; words: string }]>([
    ['an image that is not there', [workload(), pod(waiting('ErrImageNeverPull'))], 'pod web-1 (container main): its image shop/web:9 cannot be had (ErrImageNeverPull)'],
    [
      'a program that ends', [workload(), pod(waiting('CrashLoopBackOff', { restartCount: 3, lastState: { terminated: { exitCode: 2, reason: 'Error' } } }))],
      { said: 'no database\ngiving up\n', words: 'pod web-1 (container main): it ended with 2, 3 restarts; its last lines: no database | giving up' },
    ],
    [
      'memory that was not enough', [workload(), pod(waiting('CrashLoopBackOff', { restartCount: 1, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }))],
      'pod web-1 (container main): it ended with 137 (OOMKilled), 1 restarts',
    ],
    ['a setting that is not there', [workload(), pod(waiting('CreateContainerConfigError', { state: { waiting: { reason: 'CreateContainerConfigError', message: 'secret "db" not found' } } }))], 'pod web-1 (container main): CreateContainerConfigError: secret "db" not found'],
    ['no node for it', [workload(), pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available: 3 Insufficient cpu.' }] })], 'pod web-1: no node takes it: 0/3 nodes are available: 3 Insufficient cpu.'],
    ['a probe that fails', [workload(), pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'False' }] }), event({ kind: 'Pod', name: 'web-1' }, 'Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503')], 'pod web-1 (container main): Readiness probe failed: HTTP probe failed with statuscode: 503'],
    ['a quota', [workload({ conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota: small' }] })], 'Deployment web: its pods cannot be made: exceeded quota: small'],
    ['a quota, while the old pod still runs', [workload({ conditions: [{ type: 'ReplicaFailure', status: 'True', message: 'exceeded quota: small' }] }), pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] })], 'Deployment web: its pods cannot be made: exceeded quota: small'],
    ['an admission that says no', [workload(), event({ kind: 'Deployment', name: 'web' }, 'FailedCreate', 'admission webhook "no.example" denied the request')], 'Deployment web: its pods cannot be made: admission webhook "no.example" denied the request'],
  ])('%s', async (_, objects, expected) => {
    const { said, words } = typeof expected === 'string' ? { said: undefined, words: expected } : expected;
    expect(await trouble(objects, said)).toBe(words);
  });
  it('says nothing of pods that are not its own, and of a workload that is not there', async () => {
    const other = { ...pod(waiting('ErrImagePull')), metadata: { name: 'other', namespace: 'shop', labels: { app: 'db' } } };
    expect(await trouble([workload(), other])).toBeNull();
    expect(await trouble([])).toBeNull();
  });
}); // prettier-ignore
