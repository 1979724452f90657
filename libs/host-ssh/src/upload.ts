import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { SshMachine } from './machine';
import { SshError } from './ssh-error';

export interface PackedFile {
  /** The gzip of the file, on this machine. */
  packed: string;
  /** Of the file as it is to be there. */
  size: number;
  sha256: string;
  mode: number;
  signal?: AbortSignal;
  progress?: (bytes: number, total: number) => void;
}
const block = 64 << 10;
const partOf = (path: string, sha256: string): string => `${path.slice(0, path.lastIndexOf('/'))}/.strata-${sha256.slice(0, 16)}.part`;

/** What a script of ours does with `$1` part, `$2` temporary file, `$3` path, `$4` mode, `$5` size, `$6` blocks that are there. */
const begin = [
  // what is there, as often as it changes: what was handed to this end of a slow line is not there yet
  `(had=; while sleep 1 >/dev/null 2>&1; do now=$(stat -c %s "$1" 2>/dev/null) && [ "$now" != "$had" ] && echo "at $now"; had=$now; done) & w=$!`,
  `trap 'kill $w 2>/dev/null; rm -f "$2"' EXIT; trap 'exit 1' HUP INT PIPE TERM; umask 077`, // also when the line is lost: then the input ends early
].join('\n');
const end = `[ "$(stat -c %s "$2")" = "$5" ] && chmod "$4" "$2" && sync "$2" && mv -f "$2" "$3" && rm -f "$1"`;
/** Unpacks as it comes, and keeps what came. */
const whole = `${begin}\ntee "$1" | gzip -dc > "$2" && ${end}`;
/** Goes on at a block: the writer names its place, so that one whose line is dead and who does not know it yet writes the same bytes to the same place. */
const rest = `${begin}\ndd "of=$1" bs=${block} "seek=$6" iflag=fullblock conv=notrunc 2>/dev/null && gzip -dc "$1" > "$2" && ${end}`;

/**
 * Writes a file there without SFTP, packed on the way. When the line is lost what came stays there, beside the file's own place where only root may
 * write, and the next try goes on from it; it goes away when the file is there, and by `dropUpload`. The time-out is one of no progress; gzip's own
 * checksum and the size say that all came.
 * @param file.progress bytes of the packed file that are there, of how many
 * @throws SshError `upload-failed` with what the machine says, or that the line is lost
 */
export async function uploadPacked(machine: SshMachine, path: string, file: PackedFile): Promise<void> {
  const part = partOf(path, file.sha256);
  const { size: total } = await stat(file.packed);
  const dir = path.slice(0, path.lastIndexOf('/')) || '/';
  const had = await machine.exec(['sh', '-c', 'mkdir -p -m 0755 "$1" && stat -c %s "$2" 2>/dev/null || :', 'look', dir, part]);
  const blocks = Math.floor(Math.min(Number(had.stdout.trim()) || 0, total) / block);
  const from = blocks * block;
  file.progress?.(from, total);
  const input = createReadStream(file.packed, { start: from, highWaterMark: 1 << 18 });
  const onOutput = (piece: Buffer): void => {
    const at = [...piece.toString().matchAll(/^at (\d+)$/gm)].at(-1)?.[1];
    if (at !== undefined) file.progress?.(Math.min(Number(at), total), total);
  };
  const argv = ['sh', '-c', from === 0 ? whole : rest, 'upload', part, `${path}.part`, path, file.mode.toString(8), String(file.size), String(blocks)] as const;
  const ran = await machine.exec(argv, { input, onOutput, timeoutMs: 60_000, signal: file.signal }).catch(async (error: unknown) => {
    if (file.signal?.reason === 'cancelled') await dropUpload(machine, path, file.sha256);
    throw error;
  });
  if (ran.code === 0) return file.progress?.(total, total);
  await dropUpload(machine, path, file.sha256); // no line is to blame: going on from it would not help
  throw new SshError('upload-failed', `${path} could not be written on ${machine.name}: ${said(ran.stderr) || `exit status ${ran.code}`}`, {
    remedy: `it takes ${Math.ceil((file.size + total) / 2 ** 20)} MiB there: check free space and mount options (\`df -h ${dir}\`, \`mount\`), then try again`,
  });
} // prettier-ignore

/** Takes away what tries that did not come to their end left there. */
export async function dropUpload(machine: SshMachine, path: string, sha256: string): Promise<void> {
  await machine.exec(['rm', '-f', partOf(path, sha256), `${path}.part`], { timeoutMs: 10_000 }).catch(() => undefined);
}
const said = (stderr: string): string => stderr.split('\n').find((line) => line.trim() !== '') ?? '';
