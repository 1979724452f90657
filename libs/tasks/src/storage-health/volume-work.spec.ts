import { sharedClass } from '@strata/model';
import type { KubeObject } from '../ports/cluster';
import { bytesOf, claimOf, type VolumesSeen, type VolumeWork, volumeWork } from './volume-work';

const path = '/strata/rootfs';
const uid = '0f2a2f6e-1111-4222-8333-444455556666';
const classOf = (name: string, more: object = {}): KubeObject => ({ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name }, provisioner: sharedClass.provisioner, reclaimPolicy: 'Retain', ...more }); // prettier-ignore
const claim = (spec: object = {}, phase = 'Pending', status: object = {}): KubeObject => ({
  apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data', namespace: 'home', uid } as KubeObject['metadata'],
  spec: { storageClassName: sharedClass.name, accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1500Mi' } }, ...spec }, status: { phase, ...status },
}); // prettier-ignore
const work = (seen: Partial<VolumesSeen>): VolumeWork[] => volumeWork({ classes: [classOf(sharedClass.name)], claims: [], volumes: [], ...seen }, path);
function made(of: KubeObject = claim(), classes = [classOf(sharedClass.name)]): KubeObject {
  const [first] = work({ claims: [of], classes });
  if (first?.do !== 'make') throw new Error('nothing is made');
  return first.volume;
}
const inPhase = (volume: KubeObject, phase: string): KubeObject => ({ ...volume, status: { phase } });

test('a claim gets a folder of its own, of whole GiB, that no pod makes by itself', () => {
  expect(work({ claims: [claim()] })).toMatchObject([{ do: 'make', gib: 2, claim: { namespace: 'home', name: 'data', uid } }]);
  expect(made()).toMatchObject({
    metadata: { name: `pvc-${uid}` },
    spec: {
      capacity: { storage: '2Gi' }, accessModes: ['ReadWriteOnce'], persistentVolumeReclaimPolicy: 'Retain', storageClassName: sharedClass.name,
      hostPath: { path: `${path}/volumes/home/data-${uid}`, type: 'Directory' }, claimRef: { namespace: 'home', name: 'data', uid },
    },
  }); // prettier-ignore
});
test('claims of others, of a volume that is named, that have one, or that leave get none', () => {
  for (const each of [claim({ storageClassName: 'other' }), claim({ volumeName: 'mine' }), claim({}, 'Bound'), { ...claim(), metadata: { ...claim().metadata, deletionTimestamp: 'now' } } as KubeObject])
    expect(work({ claims: [each] })).toEqual([]);
  expect(work({ claims: [claim()], classes: [classOf(sharedClass.name, { provisioner: 'else' })] })).toEqual([]);
  expect(work({ claims: [claim()], volumes: [made()] })).toEqual([]);
}); // prettier-ignore
test.each([
  [{ volumeMode: 'Block' }, /folder, not a block device/],
  [{ selector: {} }, /leave `selector` out/],
  [{ dataSource: { name: 'x' } }, /begins empty/],
  [{ resources: {} }, /how much it needs/],
])('a claim that cannot be met is told why: %j', (spec, words) => {
  expect(work({ claims: [claim(spec)] })).toMatchObject([{ do: 'refuse', words: expect.stringMatching(words) as string }]);
});
test('a claim that asks for more grows, until Kubernetes says the same; one that asks for less is left', () => {
  const volume = inPhase(made(), 'Bound');
  const asks = (storage: string, has: string): KubeObject => claim({ resources: { requests: { storage } } }, 'Bound', { capacity: { storage: has } });
  expect(work({ claims: [asks('5Gi', '2Gi')], volumes: [volume] })).toMatchObject([{ do: 'grow', gib: 5, volume: `pvc-${uid}` }]);
  expect(work({ claims: [asks('2Gi', '1Gi')], volumes: [volume] })).toMatchObject([{ do: 'grow', gib: 2 }]);
  for (const storage of ['1500Mi', '1Gi']) expect(work({ claims: [asks(storage, '2Gi')], volumes: [volume] })).toEqual([]);
});
test('what nobody claims any more goes only where its class says so, and only from where we put it', () => {
  const goes = made(claim({ storageClassName: 'scratch' }), [classOf('scratch', { reclaimPolicy: 'Delete' })]);
  expect(work({ volumes: [inPhase(goes, 'Released')] })).toMatchObject([{ do: 'drop', gib: 2, volume: `pvc-${uid}` }]);
  expect(work({ volumes: [inPhase(goes, 'Bound')] })).toEqual([]);
  expect(work({ volumes: [inPhase(made(), 'Released')] })).toEqual([]);
  const elsewhere = { ...goes, spec: { ...(goes.spec as object), hostPath: { path: '/etc' } } };
  expect([claimOf(goes, path)?.uid, claimOf(elsewhere, path), claimOf({ ...goes, metadata: { name: 'x' } }, path)]).toEqual([uid, null, null]);
  expect(work({ volumes: [inPhase(elsewhere, 'Released')] })).toEqual([]);
});
test.each([['1Gi', 2 ** 30], ['1.5Ki', 1536], ['1e3', 1000], ['2G', 2e9], ['100', 100], ['1x', Number.NaN], [undefined, Number.NaN]])('%s is %d bytes', (text, bytes) => expect(bytesOf(text)).toBe(bytes)); // prettier-ignore
