import { z } from 'zod';
import { defineTask, secretInput } from '../define-task';
import { ask } from './metadata-ask';
import { asideDatabase } from './storage-load';
import { dumpPaths } from './storage-paths';

/** Every node sees the same again: the metadata from before the restore need not be kept in memory any more. Their dump stays. */
export const storageSettle = defineTask({
  name: 'storage.settle', version: 1, layer: 'native', timeout: '5m', attempts: 3,
  title: 'The metadata from before the restore are put away',
  input: z.strictObject({ admin: secretInput() }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check(c) {
    const size = (await ask(c, [`SELECT ${asideDatabase}`, 'DBSIZE'])).at(-1);
    const aside = await c.host.files.stat(dumpPaths.restoring);
    return size === '0' && aside === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: 'they are kept', before: {} };
  },
  async apply(c) {
    await ask(c, [`SELECT ${asideDatabase}`, 'FLUSHDB ASYNC']);
    await c.host.files.remove(dumpPaths.restoring);
  },
  undo: { never: 'what was restored is in use' },
}); // prettier-ignore
