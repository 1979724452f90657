import { z } from 'zod';
import type { Host } from '../ports/host';
import { ask, type Asking } from './metadata-ask';
import { beatKey, counterKeys } from './metadata-guard';

/** How far metadata are, in numbers that only grow, and how many files and folders they know. */
export const Counts = z.strictObject({ beat: z.int(), nextchunk: z.int(), nextinode: z.int(), nextsession: z.int(), files: z.int(), keys: z.int() });
export type Counts = z.infer<typeof Counts>;

const Noted = z.strictObject({ run: z.string(), counts: Counts });
/** Those that a run noted on this machine; null where it noted none. */
export async function countsOf(host: Host, note: string, run: string): Promise<Counts | null> {
  const text = await host.files.read(note);
  const noted = text === null ? null : (Noted.safeParse(JSON.parse(text)).data ?? null);
  return noted?.run === run ? noted.counts : null;
}
export const noteCounts = (host: Host, note: string, noted: z.infer<typeof Noted>): Promise<void> =>
  host.files.write(note, JSON.stringify(noted), { mode: 0o600 });

/** Those of this machine's metadata now. */
export async function countsHere(c: Asking): Promise<Counts> {
  const named = (name: string, key = name): string[] => [`ECHO ${name}`, `GET ${key}`]; // what is not there is no line at all; a script would wait with the writes
  const counters = counterKeys.flatMap((key) => named(key));
  const said = await ask(c, ['SELECT 0', ...named('beat', beatKey), 'SELECT 1', ...counters, ...named('files', 'totalInodes'), 'ECHO keys', 'DBSIZE']);
  const of = (name: string): number => Number(/^\d+$/.exec(said[said.indexOf(name) + 1] ?? '')?.[0] ?? 0);
  const [nextchunk, nextinode, nextsession] = [of('nextchunk'), of('nextinode'), of('nextsession')];
  return { beat: of('beat'), nextchunk, nextinode, nextsession, files: of('files'), keys: of('keys') };
}
export const countsWords = (n: Counts): string =>
  `${n.files} files and folders in ${n.keys} keys; next slice ${n.nextchunk}, inode ${n.nextinode}, session ${n.nextsession}`;
