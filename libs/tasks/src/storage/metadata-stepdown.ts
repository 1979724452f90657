import { PlainPath } from '@strata/model';
import { z } from 'zod';
import { defineTask, secretInput } from '../define-task';
import { info } from '../native/findings';
import { must } from '../programs';
import { halt } from '../service-units';
import { TaskError } from '../task-error';
import { Peer, roleHere, roleThere } from './metadata-peer';
import { leave } from './storage-leave';
import { guardPaths, metadataPaths } from './storage-paths';

const files = `${metadataPaths.data}/appendonlydir`;
/** What a machine had that was the primary once, and what nobody else may have: kept until the next time. */
export const asideFiles = `${metadataPaths.data}/appendonlydir.before-replica`;

/**
 * A machine that was the primary before another one was made it: what it has is put aside, and it gives up all that it knows of the shared file system
 * before its settings lead anywhere else. Then it may be the replica. Only while the other one says that it is the primary.
 */
export const metadataStepdown = defineTask({
  name: 'metadata.stepdown', version: 1, layer: 'native', timeout: '10m', timeoutFrom: 'progress', attempts: 3,
  title: 'Older metadata of this machine are out of use',
  input: z.strictObject({ path: PlainPath, cache: PlainPath, peer: z.strictObject({ address: Peer.shape.address, password: secretInput() }) }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host }) {
    if ((await roleHere(host)) !== 'primary') return { state: 'satisfied', output: {} };
    const words = `this machine was the primary of the metadata: what it has goes to ${asideFiles}, and it leaves the shared file system before it comes in again`;
    return { state: 'unsatisfied', reason: 'it was the primary', before: {}, findings: [info('storage.stepdown', words)] };
  },
  async apply(c) {
    const { host, input, log } = c;
    if ((await roleThere(c)) !== 'master')
      throw new TaskError('no-primary', `the metadata on ${input.peer.address} do not say that they are the primary, so those of this machine stay what they are`, {
        remedy: `see \`strata storage status\`: bring the metadata on ${input.peer.address} up, or name this node as \`storage.metadata.node\` again, then retry the step`,
        retry: true,
      }); // prettier-ignore
    await leave(c, input);
    await halt(host, [guardPaths.unit, metadataPaths.unit]);
    if ((await host.files.stat(files)) !== null) {
      await host.files.remove(asideFiles, { recursive: true });
      await must(host, ['mv', '-T', '--', files, asideFiles], { timeoutMs: 60_000 });
      log(`its metadata are kept in ${asideFiles}`);
    }
    for (const note of [guardPaths.closed, guardPaths.waits, guardPaths.mark, guardPaths.alone, guardPaths.stopped, guardPaths.role]) await host.files.remove(note);
  },
  undo: { never: 'the other machine has the metadata that are in use' },
}); // prettier-ignore
