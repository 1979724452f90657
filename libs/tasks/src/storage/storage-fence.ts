import { type Finding, RestoreFrom } from '@strata/model';
import { z } from 'zod';
import { defineTask, secretInput } from '../define-task';
import { blocker } from '../native/findings';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { begin } from '../service-units';
import { TaskError } from '../task-error';
import { dumpSlot } from './metadata-dumps';
import { ask, untilAnswering } from './metadata-ask';
import { closedWords } from './metadata-redis';
import { isOfRun, noteRun, RunId } from './run-id';
import { dumpPaths, dumpsFolder, guardPaths, metadataPaths } from './storage-paths';

const fileOf = (from: RestoreFrom): string | null => (from === 'current' ? null : from === 'latest' ? dumpSlot(1) : `${dumpsFolder}/${from}`);

async function absent(host: Host, file: string): Promise<Finding | null> {
  if ((await host.files.stat(file))?.kind === 'file') return null;
  const there = (await host.files.list(dumpsFolder)).filter((name) => name.endsWith('.json.gz'));
  const choice = there.length === 0 ? 'there is no dump on it yet' : `choose one of ${there.sort().join(', ')}`;
  return blocker('storage.no-dump', `the metadata's node has no ${file}`, `${choice}; or keep the metadata that are there: \`--from current\``);
}

/**
 * Nobody but its own node reaches the metadata from here on, and whoever was in is out: a node that does not stop cannot write either. It stays so, also
 * over restarts, until `storage.load` is done. What is to be restored is put aside first: the timer that takes dumps would move it on.
 */
export const storageFence = defineTask({
  name: 'storage.fence', version: 1, layer: 'native', timeout: '12m', attempts: 3,
  title: 'Nobody can reach the metadata',
  input: z.strictObject({ run: RunId, from: RestoreFrom, admin: secretInput() }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host, input }) {
    if (await isOfRun(host, guardPaths.fenced, input.run)) return { state: 'satisfied', output: {} };
    const file = fileOf(input.from);
    const finding = file === null ? null : await absent(host, file);
    return finding === null ? { state: 'unsatisfied', reason: 'it is open', before: {} } : { state: 'refused', findings: [finding] };
  },
  async apply(c) {
    const { host, input } = c;
    const file = fileOf(input.from);
    if (file !== null && file !== dumpPaths.restoring) {
      await must(host, ['gzip', '-t', '--', file], { timeoutMs: 300_000, remedy: `${file} is damaged: choose another dump in ${dumpsFolder}` });
      await must(host, ['cp', '-f', '--', file, dumpPaths.restoring], { timeoutMs: 300_000 });
    }
    if ((await closedWords(host)) === null) await host.files.write(guardPaths.closed, 'a restore is at work\n', { mode: 0o600 });
  },
  async verify(c) {
    const { host, input, log } = c;
    await begin(host, [metadataPaths.unit], log).catch((cause: unknown) => {
      throw new TaskError('metadata-dead', 'the metadata do not start, not even closed', {
        remedy: `read \`journalctl -u ${metadataPaths.unit}\`; if their files are broken, move ${metadataPaths.data}/appendonlydir to a safe place and restore a dump (--from latest)`,
        cause,
      });
    });
    const remedy = `read \`journalctl -u ${metadataPaths.unit}\` on this machine, then retry the step`;
    await untilAnswering(c, remedy);
    await ask(c, ['CONFIG SET bind 127.0.0.1', 'CLIENT KILL TYPE normal SKIPME yes', 'CONFIG SET min-replicas-to-write 0']); // a replica may be away: its copy is restored with these
    const inside = (await ask(c, ['CLIENT LIST'])).flatMap((line) => /\buser=(node\.\S+)/.exec(line)?.[1] ?? []);
    if (inside.length > 0) throw new TaskError('not-fenced', `${[...new Set(inside)].join(', ')} are still connected to the metadata`, { remedy, retry: true });
    await noteRun(host, guardPaths.fenced, input.run);
  },
  undo: { never: 'it is opened by the end of the restore' },
}); // prettier-ignore
