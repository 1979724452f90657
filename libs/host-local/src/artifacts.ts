import { Agent } from 'node:https';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Artifact, Blob, ImageArtifact } from '@strata/model';
import type { Artifacts } from '@strata/tasks';
import { TaskError, TransferMeter } from '@strata/tasks';
import { demandSpace, diskFullError, isDiskFull } from './disk-space';
import { fetchBlob } from './fetch-blob';
import { sha256Of, statOf } from './files';
import { knownBlobs } from './known-blobs';
import type { LocalHostOptions } from './options';

const atOnce = 3;
/** A line may be dead for this long, as while somebody plugs a cable, before an attempt is spent. */
const patienceMs = 5 * 60_000;
/** Below this (12 Mbit/s) the line is what takes the time, and the server packs. */
const slowBytesPerS = 1.5e6;
const blobsOf = (a: Artifact): readonly Blob[] => (a.kind === 'image' ? a.blobs : [a.blob]);
export const blobPath = (stateDir: string, sha256: string): string => join(stateDir, 'artifacts', 'blobs', sha256);

/** A blob gets its name in the store only when its sha256 was verified; it is verified again before it is installed. */
export function localArtifacts(host: LocalHostOptions): Artifacts {
  const path = (blob: Blob): string => blobPath(host.stateDir, blob.sha256);
  const known = knownBlobs(host.stateDir);
  const hasBlob = async (blob: Blob): Promise<boolean> => {
    if ((await statOf(path(blob)))?.size !== blob.size) return false;
    if (await known.has(blob.sha256)) return true;
    if ((await sha256Of(path(blob))) !== blob.sha256) return false;
    await known.add(blob.sha256);
    return true;
  };
  const has = async (artifact: Artifact): Promise<boolean> => (await Promise.all(blobsOf(artifact).map(hasBlob))).every(Boolean);
  return {
    has,
    fetch: async (artifacts, o) => {
      const all = [...new Map(artifacts.flatMap((a) => blobsOf(a).map((b) => [b.sha256, { blob: b, of: a.name }] as const))).values()];
      const total = all.reduce((n, w) => n + w.blob.size, 0);
      const got = new Map<string, number>();
      const missing: typeof all = [];
      for (const wanted of all) {
        if (await hasBlob(wanted.blob)) got.set(wanted.blob.sha256, wanted.blob.size);
        else missing.push(wanted);
      }
      if (missing.length === 0) return;
      let parts = 0;
      for (const { blob } of missing) {
        const part = Math.min(blob.size, (await statOf(`${path(blob)}.part`))?.size ?? 0);
        got.set(blob.sha256, part);
        parts += part;
      }
      await demandSpace(join(host.stateDir, 'artifacts'), missing.reduce((n, w) => n + w.blob.size, 0) - parts, `${missing.length} files of ${artifacts.length} artifacts`); // prettier-ignore
      const access = host.artifacts?.();
      if (!access || access.addresses.length === 0)
        throw new TaskError('no-artifact-server', `this node does not know where to fetch ${missing[0]?.of ?? 'artifacts'}`, {
          remedy: 'see whether the agent is enrolled and the server advertises an address',
          retry: true,
        });
      const agent = new Agent({ ...access.tls, keepAlive: true, maxSockets: atOnce });
      await mkdir(join(host.stateDir, 'artifacts', 'blobs'), { recursive: true, mode: 0o700 });
      const queue = [...missing];
      const meter = new TransferMeter(total);
      const there = (): number => [...got.values()].reduce((a, b) => a + b, 0);
      const tell = (what: string): void => o.progress?.(total === 0 ? 1 : there() / total, meter.tell(what, there(), performance.now()));
      tell('fetching');
      let slow = false;
      const slowLine = (): boolean => (slow ||= (meter.rate(performance.now(), 3_000) ?? Infinity) < slowBytesPerS);
      const worker = async (): Promise<void> => {
        for (let next = queue.shift(); next; next = queue.shift()) {
          const { blob, of } = next;
          const progress = (bytes: number): void => {
            got.set(blob.sha256, bytes);
            tell(`fetching ${of}`);
          };
          const onTrouble = (why: string): void => {
            host.log?.(`${of}: ${why}; it is asked for again`);
            tell(`${of} does not come (${why}), asking again`);
          };
          await fetchBlob({ addresses: access.addresses, blob, into: path(blob), agent, progress, onTrouble, slowLine, patienceMs, signal: o.signal }).catch(
            (cause: Error) => {
              queue.length = 0;
              if (isDiskFull(cause.cause)) full = cause;
              throw new TaskError('fetch-failed', `${of} could not be fetched: ${cause.message}`, {
                remedy: 'see whether this node reaches the server on its artifact port and has free disk, then retry the step',
                retry: true,
                cause,
              });
            },
          );
          await known.add(blob.sha256);
        }
      };
      let full: Error | null = null;
      const workers = Array.from({ length: Math.min(atOnce, missing.length) }, worker);
      try {
        await Promise.all(workers);
      } catch (error) {
        if (full === null) throw error;
        await Promise.allSettled(workers);
        for (const { blob } of missing) await rm(`${path(blob)}.part`, { force: true }); // what is half there helps nobody on a full disk
        throw await diskFullError(join(host.stateDir, 'artifacts'), full);
      } finally {
        agent.destroy();
      }
    },
    drop: async (artifacts) => {
      for (const blob of artifacts.flatMap(blobsOf)) {
        await known.drop(blob.sha256);
        for (const end of ['', '.part']) await rm(path(blob) + end, { force: true });
      }
    },
  };
}
export const imageSize = (image: ImageArtifact): number => image.blobs.reduce((n, b) => n + b.size, 0);
