import { rolloutOf } from './rollout';

const seen = { metadata: { generation: 2 } };
describe('how far a rollout is', () => {
  it('is nothing until its controller has seen it', () => {
    expect(rolloutOf({ ...seen, kind: 'Deployment', status: { observedGeneration: 1 } }).complete).toBe(false);
  });
  it('judges a Deployment by updated, old and available replicas', () => {
    const status = { observedGeneration: 2, replicas: 3, updatedReplicas: 3, availableReplicas: 2 };
    const deployment = { ...seen, kind: 'Deployment', spec: { replicas: 3 } };
    expect(rolloutOf({ ...deployment, status })).toEqual({ complete: false, message: '2 of 3 available' });
    expect(rolloutOf({ ...deployment, status: { ...status, replicas: 4, availableReplicas: 3 } })).toEqual({
      complete: false,
      message: '1 old replicas still there',
    });
    expect(rolloutOf({ ...deployment, status: { ...status, availableReplicas: 3 } }).complete).toBe(true);
  });
  it('does not take a DaemonSet that no node has seen for a finished one', () => {
    const daemonSet = { ...seen, kind: 'DaemonSet' };
    expect(rolloutOf({ ...daemonSet, status: { observedGeneration: 2 } }).complete).toBe(false);
    const status = { observedGeneration: 2, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1 };
    expect(rolloutOf({ ...daemonSet, status })).toEqual({ complete: false, message: '1 of 2 available' });
    expect(rolloutOf({ ...daemonSet, status: { ...status, numberAvailable: 2 } }).complete).toBe(true);
  });
  it('waits for the new revision of a StatefulSet', () => {
    const set = { ...seen, kind: 'StatefulSet', spec: { replicas: 1 } };
    expect(rolloutOf({ ...set, status: { observedGeneration: 2, readyReplicas: 1, currentRevision: 'a', updateRevision: 'b' } }).complete).toBe(false);
    expect(rolloutOf({ ...set, status: { observedGeneration: 2, readyReplicas: 1, currentRevision: 'b', updateRevision: 'b' } }).complete).toBe(true);
  });
});
