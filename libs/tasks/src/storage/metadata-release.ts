import { z } from 'zod';
import { defineTask, secretInput } from '../define-task';
import { ask } from './metadata-ask';
import { roleHere } from './metadata-peer';
import { isOfRun, noteRun, RunId } from './run-id';
import { guardPaths } from './storage-paths';

/** So long a mount may go by the addresses that it read last: Go's resolver looks at /etc/hosts again after five seconds. */
const namesMs = 6_000;

/**
 * The end of a planned switch, when all names lead to the new primary: the old one ends every connection, so that all come to the new one, and only then
 * (a step of the same kind there) writes are answered again. Nobody ever reads behind what another wrote.
 */
export const metadataRelease = defineTask({
  name: 'metadata.release', version: 1, layer: 'native', timeout: '3m', attempts: 3,
  title: 'All mounts come to the new primary, and go on',
  input: z.strictObject({ run: RunId, admin: secretInput() }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host, input }) {
    const done = await isOfRun(host, guardPaths.released, input.run);
    return done ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: 'mounts may ask the machine that has no lead any more', before: {} };
  },
  async apply(c) {
    const { host, input, clock, signal } = c;
    if ((await roleHere(host)) === 'replica') {
      await clock.sleep(namesMs, signal);
      await ask(c, ['CLIENT KILL TYPE normal SKIPME yes']);
    } else await ask(c, ['CLIENT UNPAUSE']);
    await noteRun(host, guardPaths.released, input.run);
  },
  undo: { never: 'another drill gives the lead back' },
}); // prettier-ignore
