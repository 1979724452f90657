import { ClusterName, NodeName } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { endTimer, timerFiles, TimerFolders, timerFolders, timerTrouble } from '../orchestration/timer-units';
import { differing, FileImages, imagesOf, restoreAll, writeAll, type WrittenFile } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { begin } from '../service-units';
import { metadataUrl } from './storage-format';
import { dumpsFolder, metadataPaths, mountPaths } from './storage-paths';

const name = 'strata-metadata-dump';
const kept = 12;
/** The nth newest dump. */
export const dumpSlot = (n: number): string => `${dumpsFolder}/dump-${n}.json.gz`;
const next = `${dumpsFolder}/next.json.gz`;

const Input = z.strictObject({ cluster: ClusterName, node: NodeName });
type Input = z.infer<typeof Input>;
/** Written, read to its end, and only then moved to the front: each move is atomic, and a bad dump never pushes a good one out. JuiceFS leaves the bucket's key out. */
const filesOf = (input: Input): WrittenFile[] =>
  timerFiles({
    name,
    what: 'Dump of the metadata of the shared file system',
    after: metadataPaths.unit,
    calendar: '*-*-* 00/2:00:00',
    delay: '5m',
    environment: mountPaths.secrets,
    programs: [
      `${mountPaths.binary} --no-agent dump ${metadataUrl({ ...input, ca: mountPaths.ca })} ${next}`,
      `/bin/gzip -t ${next}`,
      ...Array.from({ length: kept - 1 }, (_, i) => kept - 1 - i).map((n) => `-/bin/mv -f ${dumpSlot(n)} ${dumpSlot(n + 1)}`),
      `/bin/mv -f ${next} ${dumpSlot(1)}`,
    ],
  });

async function wrong(host: Host, input: Input): Promise<string | null> {
  return (await differing(host, filesOf(input))) ?? (await timerTrouble(host, name, 'the last dump failed'));
}

/** A dump of the metadata every two hours, the last twelve kept, beside those that JuiceFS itself puts into the bucket. They stay when all else goes. */
export const metadataDumps = defineTask({
  name: 'metadata.dumps', version: 1, layer: 'native', timeout: '15m', attempts: 3,
  title: 'Dumps of the metadata are taken by a timer',
  input: Input,
  before: z.strictObject({ images: FileImages, timers: TimerFolders.default([]) }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const reason = await wrong(host, input);
    if (reason === null) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason, before: { images: await imagesOf(host, filesOf(input).map((f) => f.path)), timers: await timerFolders(host) } };
  },
  async apply({ host, input }) {
    await host.files.mkdir(dumpsFolder, { mode: 0o700 });
    await writeAll(host, filesOf(input));
  },
  /** One is taken now, by the unit that the timer starts. */
  async verify({ host, log }) {
    await begin(host, [`${name}.timer`], log);
    try {
      await host.units.start(`${name}.service`);
    } catch (error) {
      for (const line of await host.units.log(`${name}.service`, 8)) log(line);
      throw error;
    }
  },
  async undo({ host, before }) {
    await endTimer(host, name, before.timers);
    await restoreAll(host, before.images);
    await host.files.remove(dumpsFolder); // if there is no dump in it
    await host.units.daemonReload();
  },
}); // prettier-ignore
