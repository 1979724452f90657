import { ClusterName, type Finding, storageNames } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { blocker } from '../native/findings';
import { guardPaths, metadataPaths } from './storage-paths';

/** `where`: the folder of metadata on this machine, or the URL of somebody else's. */
export const foreignVolume = (is: string, name: string, where: string = metadataPaths.data): Finding =>
  blocker(
    'storage.foreign-volume',
    `the metadata in ${where} holds the volume ${is}, not ${name}`,
    where === metadataPaths.data
      ? `give the cluster the name that it had, or move ${where}, ${guardPaths.folder} and the objects away, then apply again`
      : 'give the cluster the name that it had, or name a database of its own for it, then apply again',
  );

/** The machine that is to keep the metadata has none of another cluster's: what an uninstall left says whose it is. */
export const precheckStorage = definePrecheck({
  name: 'precheck.storage', version: 1,
  title: 'No metadata of another cluster are here',
  input: z.strictObject({ cluster: ClusterName }),
  async look({ host, input }) {
    const is = (await host.files.read(guardPaths.volume))?.trim() ?? '';
    const { volume } = storageNames(input.cluster);
    return is === '' || is === volume ? [] : [foreignVolume(is, volume)];
  },
}); // prettier-ignore
