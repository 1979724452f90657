import { NodeName, PlainPath } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage } from '../ports/host';
import { isShared, looked, mountType, mustBeShared } from './mounted';
import { RunId } from './run-id';
import { partOf, saidIn, seen, viewFile, writeThere } from './view';
import { letGo, lockOf, proofIn, proven } from './view-proof';

const text = ({ node, run }: { node: string; run?: string | undefined }, at = 0): string =>
  `${node} was here ${run === undefined ? `at ${at}` : `in run ${run}`}\n`;

/** This node's file in the shared view: written, flushed and renamed into place. What it holds is read by all others (view.read); in a `run` its lock is seen, too. */
export const viewWrite = defineTask({
  name: 'view.write', version: 1, layer: 'native', timeout: '2m', attempts: 3,
  title: 'The node writes into the shared view',
  input: z.strictObject({ path: PlainPath, node: NodeName, run: RunId.optional() }), // `run`: anew in this run, whatever is there
  before: z.strictObject({ file: FileImage.nullable(), path: z.string() }),
  output: z.strictObject({ sha256: z.string() }),
  async check({ host, input }) {
    const file = viewFile(input.path, input.node);
    const words = isShared(await mountType(host, input.path)) ? await looked(host, [input.path]) : `${input.path} is not the shared file system`;
    if (words !== null) return { state: 'unsatisfied', reason: words, before: { file: null, path: file } };
    const sha256 = await seen(host, file);
    const fresh = input.run === undefined || ((await saidIn(host, file)) === text(input) && (await proofIn(host, file, input.run)) !== null);
    if (sha256 !== null && fresh) return { state: 'satisfied', output: { sha256 } };
    return { state: 'unsatisfied', reason: sha256 === null ? 'it has not written yet' : 'it has not written in this run', before: { file: await host.files.image(file), path: file } };
  },
  async apply({ host, input, clock, signal }) {
    await mustBeShared(host, input.path);
    const file = viewFile(input.path, input.node);
    const { path, run } = input;
    if (run === undefined) return writeThere(host, file, text(input, clock.now()));
    await proven({ host, clock, signal }, { path, file, text: text(input), run });
  },
  /** Gone with the node; where the tree is not mounted any more there is nothing to take back. */
  async undo({ host, input, before }) {
    if (before.file === null || !isShared(await mountType(host, input.path))) return;
    if ((await looked(host, [input.path])) !== null) return;
    await letGo(host);
    for (const beside of [partOf(before.path), lockOf(before.path)]) await host.files.remove(beside);
    await host.files.restore(before.file);
  },
}); // prettier-ignore
