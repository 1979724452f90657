import { z } from 'zod';
import type { Common } from '../define-task';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { statsIn, statsOfMount } from '../storage-health/node-storage';
import { TaskError } from '../task-error';
import { writeThere } from './view';

/** Beside each node's file: what all others are to find locked while it is held, and what the writer says of its own write. */
export const lockOf = (file: string): string => `${file}.lock`;
const unit = 'strata-view-lock.service';
const answerMs = 30_000;
/** So long a write may take from the cache into the bucket. */
const uploadMs = 20_000;
/** So long a lock is held, at most: all nodes look within a run; nothing is left of it afterwards. */
const heldSeconds = 180;
const remedy = 'see `journalctl -u strata-juicefs` on this machine, and whether metadata and objects run (`strata storage status`); then try again';

const Proof = z.object({ run: z.string(), ms: z.number(), sent: z.number() });
/** `ms`: from the first byte until it was flushed and in place; `sent`: bytes that this node's mount put into the bucket meanwhile. */
export type Proof = z.infer<typeof Proof>;

/** Holds the lock, by a program of systemd's: it outlives this step, and the agent, and ends by itself. @throws TaskError unless it holds it */
async function hold(host: Host, file: string): Promise<void> {
  await letGo(host);
  // whoever looks whether it is held has it for a moment: that is waited for
  const keep = ['flock', '--exclusive', '--timeout', '20', file, 'sleep', String(heldSeconds)];
  const options = [
    `--unit=${unit}`,
    '--collect',
    '--quiet',
    '--service-type=exec',
    `--property=RuntimeMaxSec=${heldSeconds + 20}`,
    '--property=TimeoutStopSec=5',
  ];
  await must(host, ['systemd-run', ...options, ...keep], { timeoutMs: answerMs, remedy });
  for (let tries = 0; tries < 200; tries += 1) if (await isLocked(host, file)) return;
  throw new TaskError('lock-not-held', `${file} was locked, but nobody here finds it so`, { remedy, retry: true });
}
/** Ends what holds this node's lock; fine if nothing does. */
export async function letGo(host: Host): Promise<void> {
  await host.programs.run(['systemctl', 'stop', unit], { timeoutMs: answerMs });
}
/** Whether somebody, anywhere, holds the lock (BSD's, which JuiceFS keeps in the metadata). @throws TaskError when that cannot be told */
export async function isLocked(host: Host, file: string): Promise<boolean> {
  const ran = await host.programs.run(['flock', '--nonblock', '--conflict-exit-code', '75', file, 'true'], { timeoutMs: answerMs });
  if (ran.code === 0 || ran.code === 75) return ran.code === 75;
  throw new TaskError('lock-unknown', `whether ${file} is locked cannot be told: ${ran.stderr.trim().slice(0, 300) || `flock ended with ${ran.code}`}`, {
    remedy,
    retry: true,
  });
}

/**
 * Writes a node's file as every node does, holds its lock, and keeps how long it took and what went into the bucket: at once, or a while later where the
 * mount is one with writeback. @throws TaskError where it did not
 */
export async function proven({ host, clock, signal }: Pick<Common, 'clock' | 'signal'> & { host: Host }, what: { path: string; file: string; text: string; run: string }): Promise<void> {
  const { path, file, text, run } = what;
  const puts = async (): Promise<number> => {
    const { stdout } = await must(host, statsOfMount(path), { timeoutMs: answerMs, remedy });
    const all = statsIn(stdout);
    return [...all].reduce((sum, [name, n]) => (/^object_request_data_bytes_PUT/.test(name) ? sum + n : sum), 0);
  };
  const [before, began] = [await puts(), clock.now()];
  await writeThere(host, file, text);
  const ms = clock.now() - began;
  let sent = (await puts()) - before;
  for (const end = clock.now() + uploadMs; sent < text.length && clock.now() < end; sent = (await puts()) - before) await clock.sleep(500, signal);
  if (sent < text.length)
    throw new TaskError('bucket-did-not-grow', `${file} was written and flushed, but only ${sent} of its ${text.length} bytes went to the bucket within ${uploadMs / 1000} s`, {
      remedy: 'see whether the objects answer (strata storage status); with `storage.cache.writeback` what waits for them is on this machine alone',
    });
  const proof: Proof = { run, ms, sent };
  await must(host, ['dd', `of=${lockOf(file)}`, 'conv=fsync', 'status=none'], { timeoutMs: answerMs, remedy, input: JSON.stringify(proof) });
  await hold(host, lockOf(file));
} // prettier-ignore

/** What a writer says of its write in this run; null where it says nothing of it. */
export async function proofIn(host: Host, file: string, run: string): Promise<Proof | null> {
  const { code, stdout } = await host.programs.run(['head', '-c', '300', '--', lockOf(file)], { timeoutMs: answerMs });
  if (code !== 0) return null;
  try {
    const proof = Proof.parse(JSON.parse(stdout));
    return proof.run === run ? proof : null;
  } catch {
    return null; // it is being written
  }
}
