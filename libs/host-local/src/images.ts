import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { type ImageArtifact, ociLayout, ustarEnd, ustarHeader, ustarPadding, ustarSize } from '@strata/model';
import { type Images, type RuntimePlace, runtimePaths, TaskError } from '@strata/tasks';
import { blobPath } from './artifacts';
import { demandSpace, diskFullError } from './disk-space';
import type { LocalHostOptions } from './options';
import { type Argv, runProgram, tail, which } from './programs';

const store = '/var/lib/containerd';
const pinned = 'io.cri-containerd.pinned=pinned';

/** Images of the containerd at this place of the machine, in the namespace of Kubernetes, by ctr. */
export function localImages(host: LocalHostOptions, place: RuntimePlace): Images {
  const { ctr: path, socket, unit, data } = runtimePaths[place];
  async function ctr(args: readonly string[], o: { timeoutMs: number; source?: Readable; signal?: AbortSignal }): Promise<string> {
    const argv: Argv = [place === 'beside' ? path : ((await which('ctr')) ?? path), '--address', socket, '-n', 'k8s.io', 'images', ...args];
    const r = await runProgram(argv, o);
    if (r.code === 0) return r.stdout;
    if (/no space left on device/i.test(r.stderr)) throw await diskFullError(store, new Error(tail(r.stderr, 1).join('')));
    throw new TaskError('containerd-failed', `\`ctr images ${args.join(' ')}\` ended with exit status ${r.code}`, {
      remedy: `see whether containerd runs (\`systemctl status ${unit}\`), then retry the step`,
      retry: true,
      detail: tail(r.stderr || r.stdout, 6),
    });
  }
  return {
    list: async () => parseImages(await ctr(['list'], { timeoutMs: 60_000 })),
    incomplete: async () => parseIncomplete(await ctr(['check'], { timeoutMs: 120_000 })),
    changedAt: async () => (await stat(`${data}/io.containerd.metadata.v1.bolt/meta.db`).catch(() => null))?.mtimeMs ?? null,
    import: async (images, o) => {
      const blobs = new Map(images.flatMap((i) => i.blobs.map((b) => [b.sha256, b.size] as const)));
      const bytes = [...blobs.values()].reduce((a, b) => a + b, 0);
      await demandSpace(store, 2 * bytes, `${images.length} images`); // as they come, and unpacked beside
      const source = Readable.from(layoutTar(images, { stateDir: host.stateDir, progress: o.progress }));
      await ctr(['import', '-'], { timeoutMs: 30 * 60_000, source, signal: o.signal });
    },
    pin: async (ref) => void (await ctr(['label', ref, pinned], { timeoutMs: 60_000 })),
    remove: async (ref) => void (await ctr(['remove', '--sync', ref], { timeoutMs: 120_000 })),
  };
}

/** What `ctr images list` prints: columns are aligned by blanks, labels come last. */
export function parseImages(table: string): { ref: string; digest: string; pinned: boolean }[] {
  return table
    .split('\n')
    .slice(1)
    .map((line) => {
      const [, ref, digest] = /^(\S+)\s+\S+\s+(sha256:[0-9a-f]{64})\s/.exec(line) ?? []; // a ref may be a digest, too
      return ref && digest ? { ref, digest, pinned: line.includes(pinned) } : null;
    })
    .filter((row) => row !== null);
}

/** Of what `ctr images check` prints, the refs whose content is not complete, or that are not unpacked. */
export function parseIncomplete(table: string): string[] {
  const rows = table.split('\n').slice(1).map((line) => line.trim()).filter((line) => line !== ''); // prettier-ignore
  return rows.filter((row) => !(/ complete \(/.test(row) && / true$/.test(row))).map((row) => row.split(/\s/, 1)[0] ?? '');
}

/** One OCI layout of all images as a tar, each shared blob once, straight from the node's store. */
async function* layoutTar(
  images: readonly ImageArtifact[],
  o: { stateDir: string; progress?: (fraction: number | null, note: string) => void },
): AsyncGenerator<Uint8Array> {
  const entries = ociLayout(images);
  const total = ustarSize(entries.map((e) => e.size));
  let sent = 0;
  for (const entry of entries) {
    yield ustarHeader({ path: entry.path, type: 'file', mode: 0o644, size: entry.size });
    if ('text' in entry) yield new TextEncoder().encode(entry.text);
    else
      for await (const chunk of createReadStream(blobPath(o.stateDir, entry.sha256), { highWaterMark: 1 << 20 })) {
        sent += (chunk as Buffer).length;
        o.progress?.(sent / total, `importing ${images.length} images`);
        yield chunk as Buffer;
      }
    yield ustarPadding(entry.size);
  }
  yield ustarEnd();
}
