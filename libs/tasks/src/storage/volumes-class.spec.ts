import { sharedClass } from '@strata/model';
import { MemoryCluster, tryTask } from '../testing';
import { volumesClass } from './volumes-class';

const ref = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', name: sharedClass.name };

it('makes the class once, keeps what is deleted, lets volumes grow; takes it away; and undoes what it made', async () => {
  const cluster = new MemoryCluster();
  cluster.up = () => true;
  const ask = (there: boolean, action: 'run' | 'undo' = 'run'): ReturnType<typeof tryTask> =>
    tryTask(volumesClass, { cluster }, { action, input: { there }, ...(action === 'undo' ? { before: {} } : {}) });
  expect([(await ask(true)).outcome, (await ask(true)).outcome]).toEqual(['changed', 'satisfied']);
  expect(await cluster.get(ref)).toMatchObject({ provisioner: sharedClass.provisioner, reclaimPolicy: 'Retain', allowVolumeExpansion: true });
  expect([(await ask(false)).outcome, (await ask(false)).outcome, await cluster.get(ref)]).toEqual(['changed', 'satisfied', null]);
  await ask(true);
  await ask(true, 'undo');
  expect(await cluster.get(ref)).toBeNull();
});
