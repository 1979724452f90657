import { z } from 'zod';
import { strataMark } from '../facts/software';
import { blockOf } from '../native/marked-block';
import { kubernetesPaths } from '../orchestration/kubernetes-paths';
import type { FileImage, Host } from '../ports/host';
import { shortHash } from '../short-hash';
import { imagesIn, type Kept } from './walk';

/** Where a node keeps what Strata's files were when they were last written or found to be right. Digests only; 0600. */
export const writtenFile = '/var/lib/strata/written.json';
/**
 * One path that a step owns. `by`: how it is compared. `whole`: its digest; `block`: our part of somebody else's file; `size`: a program, which is not
 * read again for each look; `target`: a link's; `there`: others may write it too (the table of file systems), so only that it is there.
 */
const Thing = z.object({ step: z.string(), by: z.enum(['whole', 'block', 'size', 'target', 'there']), is: z.string() });
export const Written = z.record(z.string(), Thing).catch({});
export type Written = z.infer<typeof Written>;
type Thing = z.infer<typeof Thing>;
export interface Drift {
  missing: string[];
  changed: string[];
}

/** Only what lies on the machine's own disk: a look at a shared file system may hang. */
const watched = /^\/(etc|usr|opt)\//;
const large = 1 << 20;
const kubeletConfig: Record<string, readonly string[]> = { 'kubernetes.kubelet-start': [kubernetesPaths.kubeletConfig], 'kubernetes.join': [kubernetesPaths.kubeletConfig] }; // prettier-ignore

/** What a step owns, as it is now: to be kept when the step ended well. */
export async function writtenBy(host: Host, kept: Pick<Kept, 'step' | 'task'> & { befores: readonly unknown[] }): Promise<Written> {
  const images = kept.befores.flatMap(imagesIn).filter((i) => i.kind !== 'directory' && watched.test(i.path));
  const found: Written = {};
  const add = async (path: string, was: FileImage['kind']): Promise<void> => {
    const by = await manner(host, path, was);
    if (by === null || path in found) return;
    found[path] = { step: kept.step, by, is: (await valueOf(host, path, by)) ?? '' };
  };
  for (const image of images) await add(image.path, image.kind);
  for (const path of kubeletConfig[kept.task] ?? []) await add(path, 'absent');
  return found;
}

/** How a path of ours is to be compared; null when it is not there, or is nothing that we write. */
async function manner(host: Host, path: string, was: FileImage['kind']): Promise<Thing['by'] | null> {
  const stat = await host.files.stat(path);
  if (stat?.kind === 'link') return was === 'absent' ? 'target' : 'there';
  if (stat?.kind !== 'file') return null;
  if (stat.size >= large) return 'size';
  const text = (await host.files.read(path)) ?? '';
  if (blockOf(text) !== null) return 'block';
  return was === 'absent' || text.includes(strataMark) ? 'whole' : 'there'; // the rest of a file that was there before is its owner's
}
async function valueOf(host: Host, path: string, by: Thing['by']): Promise<string | null> {
  const stat = await host.files.stat(path);
  if (stat === null) return null;
  if (by === 'there') return '';
  if (by === 'target') return stat.target ?? '';
  if (by === 'size') return String(stat.size);
  if (stat.kind !== 'file' || stat.size >= large) return `a ${stat.kind} of ${stat.size} bytes`;
  if (by === 'whole') return host.files.sha256(path);
  const block = blockOf((await host.files.read(path)) ?? '');
  return block === null ? 'no block' : shortHash(block);
}

/** What of Strata's files is not as it was written: gone, or changed by somebody else since. Cheap: small files are read, large ones only measured. */
export async function driftOf(host: Host, written: Written): Promise<Drift> {
  const drift: Drift = { missing: [], changed: [] };
  for (const [path, thing] of Object.entries(written)) {
    const now = await valueOf(host, path, thing.by);
    if (now === null) drift.missing.push(path);
    else if (now !== thing.is) drift.changed.push(path);
  }
  return drift;
}
export async function readWritten(host: Host): Promise<Written> {
  try {
    return Written.parse(JSON.parse((await host.files.read(writtenFile)) ?? '{}'));
  } catch {
    return {}; // half a file tells nothing; each step writes its part again
  }
}
export async function keepWritten(host: Host, written: Written): Promise<void> {
  await host.files.write(writtenFile, JSON.stringify(written), { mode: 0o600 });
}

/**
 * What is known after a step ended: its own files as they are now, and those of other steps that it changed (an upgrade rewrites what an install wrote),
 * which are known by having been right ahead of it. A file that is gone by then is nobody's any more.
 */
export async function writtenAfter(host: Host, o: { known: Written; own: Written; step: string; wasRight: ReadonlySet<string> }): Promise<Written> {
  const others = Object.entries(o.known).filter(([path, thing]) => thing.step !== o.step && !(path in o.own));
  const next: Written = {};
  for (const [path, thing] of others) {
    const now = o.wasRight.has(path) ? await valueOf(host, path, thing.by) : thing.is;
    if (now !== null) next[path] = { ...thing, is: now };
  }
  return { ...next, ...o.own };
}
