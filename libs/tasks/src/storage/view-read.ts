import { type Finding, NodeName, PlainPath, Sha256 } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import { until } from '../wait';
import { mustBeShared } from './mounted';
import { RunId } from './run-id';
import { seen, viewFile } from './view';
import { isLocked, lockOf, proofIn } from './view-proof';

const Input = z.strictObject({ path: PlainPath, node: NodeName, run: RunId.optional(), files: z.array(z.strictObject({ node: NodeName, sha256: Sha256 })) }); // prettier-ignore
type Context = Pick<NodeContext<z.infer<typeof Input>>, 'host' | 'input' | 'clock'>;

/** The words for each file of another node that this one does not see as its writer does. */
async function unseen({ host, input, clock }: Context): Promise<{ words: string[]; pairs: Finding[] }> {
  const [words, pairs]: [string[], Finding[]] = [[], []];
  for (const { node, sha256 } of input.files) {
    const [file, began] = [viewFile(input.path, node), clock.now()];
    const is = await seen(host, file);
    const ms = clock.now() - began;
    if (is !== sha256) words.push(`${input.node} does not see what ${node} wrote: it finds ${is === null ? 'no file' : 'another content'}`);
    if (is !== sha256 || input.run === undefined) continue;
    const [proof, locked] = [await proofIn(host, file, input.run), await isLocked(host, lockOf(file))];
    if (!locked) words.push(`${input.node} does not see the lock that ${node} holds`);
    else if (proof) pairs.push(pair(`${node} to ${input.node}: ${proof.ms + ms} ms (written and flushed in ${proof.ms}, read in ${ms}); its lock is seen`));
  }
  return { words, pairs };
}
/** Each machine measures its own part: no clock is compared with another's. */
const pair = (message: string): Finding => ({ severity: 'info', code: 'storage.pair', message, remedy: '' });

/** All nodes share one view: this one reads what each other has written. */
export const viewRead = defineTask({
  name: 'view.read', version: 1, layer: 'native', timeout: '2m', attempts: 3,
  title: 'The node sees what all others wrote',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check(c) {
    await mustBeShared(c.host, c.input.path);
    const { words, pairs } = await unseen(c);
    return words.length === 0 ? { state: 'satisfied', findings: pairs, output: {} } : { state: 'unsatisfied', reason: words.join('; '), before: {} };
  },
  async apply(c) {
    let last = '';
    const remedy = 'see whether `findmnt` names the same volume on both nodes, and `journalctl -u strata-juicefs`; then apply again';
    await until(c.clock, { what: 'the files of the other nodes', timeoutMs: 30_000, everyMs: 1000, signal: c.signal, remedy, note: () => last }, async () => {
      last = (await unseen(c)).words.join('; ');
      return last === '' ? true : null;
    });
  },
  undo: { never: 'nothing was changed: the step only reads' },
}); // prettier-ignore
