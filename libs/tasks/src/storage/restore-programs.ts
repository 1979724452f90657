import type { MetadataPlace, S3Place, SecretRef } from '@strata/model';
import type { NodeContext } from '../define-task';
import { TaskError } from '../task-error';
import { ask, type Asking } from './metadata-ask';
import { counterKeys } from './metadata-guard';
import { externalUrl, trusting } from './metadata-external';
import { metadataUrl, regionOf, s3Environment } from './storage-format';
import { sliceOf } from './storage-leave';
import { guardPaths, metadataPaths, mountPaths } from './storage-paths';

/** JuiceFS at some metadata, with what it needs of a bucket. */
export type Juicefs = (
  argv: readonly [string, ...string[]],
  how?: { debug?: boolean; onLine?: (line: string) => void },
) => Promise<{ code: number; lines: string[] }>;
function juicefs({ host }: Pick<Restoring, 'host'>, at: { url: string; environment: Record<string, string> }): Juicefs {
  return async ([verb, ...rest], { debug, onLine } = {}) => {
    const argv = [mountPaths.binary, ...(debug === true ? ['--debug'] : []), '--no-agent', verb, at.url, ...rest] as const;
    const env = { ...at.environment, JFS_GC_SKIPPEDTIME: '0' };
    const { code, stdout, stderr } = await host.programs.run(argv, { timeoutMs: 30 * 60_000, env, ...(onLine ? { onLine: (line) => onLine(line) } : {}) });
    return { code, lines: `${stdout}\n${stderr}`.split('\n') };
  };
} // prettier-ignore

export type Restoring = Pick<
  NodeContext<{ cluster: string; node: string; password: SecretRef; admin: SecretRef; s3?: S3Place | undefined }>,
  'host' | 'input' | 'secret'
>;
/** At a database of the closed metadata: over loopback, which the certificate names. */
export function closedJuicefs(c: Restoring, database: number): Juicefs {
  const url = metadataUrl({ ...c.input, ca: metadataPaths.ca }).replace(/@[^:]+:/, '@127.0.0.1:').replace('/1?', `/${database}?`); // prettier-ignore
  return juicefs(c, { url, environment: { META_PASSWORD: c.secret(c.input.password), ...s3Environment(c.input.s3, metadataPaths) } });
}
/** At metadata of somebody else's. */
export function externalJuicefs(c: Pick<NodeContext<{ external: MetadataPlace; password: SecretRef; s3?: S3Place | undefined; caPem?: string | undefined }>, 'host' | 'input' | 'secret'>): Juicefs {
  const { external, password, s3 } = c.input;
  return (argv, how) =>
    trusting(c.host, c.input, (trust) =>
      juicefs(c, { url: externalUrl(external), environment: { META_PASSWORD: c.secret(password), ...trust, ...regionOf(s3) } })(argv, how),
    );
} // prettier-ignore
/** The last complaint among lines of JuiceFS. */
export const complaint = (lines: readonly string[]): string =>
  (lines.filter((l) => /<(FATAL|ERROR)>/.test(l)).at(-1) ?? lines.filter((l) => l.trim() !== '').at(-1) ?? '')
    .replace(/^.*<(FATAL|ERROR)>: /, '')
    .slice(0, 600);

/** What the bucket holds, against some metadata. */
export interface Bucket {
  highest: number; // slice
  lost: number; // blocks that no file has
  lostBytes: number;
}
/** Lists every block of the bucket. Changes nothing. @throws TaskError when that cannot be done: then no number is known to be free. */
export async function bucketAgainst(run: Juicefs): Promise<Bucket> {
  let highest = 0;
  const onLine = (line: string): void => {
    const block = /<DEBUG>: (?:found|ignore new) block:? (\S+)/.exec(line)?.[1];
    if (block !== undefined) highest = Math.max(highest, sliceOf(block));
  };
  const { code, lines } = await run(['gc'], { debug: true, onLine });
  const [, total, leaked, bytes] = lines.map((l) => /scanned (\d+) objects, .*?(\d+) leaked \((\d+) bytes\)/.exec(l)).find((m) => m !== null) ?? [];
  if (code === 0 && total !== undefined && (Number(total) === 0 || highest > 0)) return { highest, lost: Number(leaked), lostBytes: Number(bytes) };
  throw new TaskError('bucket-unread', `the bucket's blocks could not be listed, so no number of a slice is known to be free: ${complaint(lines)}`, {
    remedy: 'see whether the object store runs (`systemctl status strata-objects` or `strata-minio` on its node), then retry the step; nobody is let in before',
    retry: true,
  });
}
/** Blocks that files have and the bucket has not: those files are damaged. */
export async function missingIn(run: Juicefs): Promise<number> {
  const { code, lines } = await run(['fsck']);
  if (code === 0) return 0;
  const found = lines.map((l) => /(\d+) objects are lost/.exec(l)?.[1]).find((n) => n !== undefined);
  if (found !== undefined) return Number(found);
  throw new TaskError('fsck-failed', `the restored metadata could not be held against the bucket: ${complaint(lines)}`, {
    remedy: 'see whether the object store runs, then retry the step; nobody is let in before',
    retry: true,
  });
}

export type Counters = Record<(typeof counterKeys)[number], number>;
const numbers = (words: readonly string[]): number[] => words.map((w) => (/^\d+$/.test(w) ? Number(w) : 0));
/** JuiceFS' counters and its number of files and folders in a database; 0 for what is not there. */
export async function countersIn(c: Asking, database: number): Promise<Counters & { files: number }> {
  const keys = [...counterKeys, 'totalInodes'];
  const read = await ask(c, [`SELECT ${database}`, ...keys.map((k) => `EVAL "return redis.call('GET', KEYS[1]) or '0'" 1 ${k}`)]);
  const [nextchunk = 0, nextinode = 0, nextsession = 0, files = 0] = numbers(read.filter((l) => l !== 'OK'));
  return { nextchunk, nextinode, nextsession, files };
}
/** What was kept outside of the metadata: the beat, and the counters. */
export async function markOf(host: Restoring['host']): Promise<Counters & { beat: number }> {
  const [beat = 0, nextchunk = 0, nextinode = 0, nextsession = 0] = numbers((await host.files.read(guardPaths.mark))?.trim().split(' ') ?? []);
  return { beat, nextchunk, nextinode, nextsession };
}
