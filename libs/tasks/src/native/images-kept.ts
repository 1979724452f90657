import { ImageArtifact } from '@strata/model';
import { z } from 'zod';
import type { Host, Images } from '../ports/host';
import { RuntimePlace } from '../runtime-place';

/** Where a node keeps which images it is to have: its agent brings back what the runtime loses, also while there is no server. 0600. */
export const keptImagesFile = '/var/lib/strata/images.json';
const KeptImages = z.object({ place: RuntimePlace, images: z.record(z.string(), ImageArtifact) }); // by ref
export type KeptImages = z.infer<typeof KeptImages>;

/** Null where none are kept; a file that cannot be read keeps none, and the next import writes it anew. */
export async function readKeptImages(host: Pick<Host, 'files'>): Promise<KeptImages | null> {
  try {
    return KeptImages.parse(JSON.parse((await host.files.read(keptImagesFile)) ?? 'null'));
  } catch {
    return null;
  }
}
/** Refs that are not kept, or as other content. */
export async function notKept(host: Pick<Host, 'files'>, images: readonly ImageArtifact[]): Promise<string[]> {
  const kept = (await readKeptImages(host))?.images ?? {};
  return images.filter((i) => !kept[i.ref] || digestOf(kept[i.ref] as ImageArtifact) !== digestOf(i)).map((i) => i.ref);
}
/** One import of a node runs at a time (the plan has them in a line), so nothing else writes meanwhile. */
export async function keepImages(host: Pick<Host, 'files'>, { place, images }: { place: RuntimePlace; images: readonly ImageArtifact[] }): Promise<void> {
  const kept = (await readKeptImages(host))?.images ?? {};
  await write(host, { place, images: { ...kept, ...Object.fromEntries(images.map((i) => [i.ref, i])) } });
}
export async function forgetImages(host: Pick<Host, 'files'>, refs: readonly string[]): Promise<void> {
  const kept = await readKeptImages(host);
  if (!kept) return;
  const left = Object.fromEntries(Object.entries(kept.images).filter(([ref]) => !refs.includes(ref)));
  if (Object.keys(left).length === 0) await host.files.remove(keptImagesFile);
  else await write(host, { place: kept.place, images: left });
}
const write = (host: Pick<Host, 'files'>, kept: KeptImages): Promise<void> => host.files.write(keptImagesFile, JSON.stringify(kept), { mode: 0o600 });

/** The digest under which the runtime has an image. */
export const digestOf = (image: ImageArtifact): string => `sha256:${image.blobs[0]?.sha256 ?? ''}`;

/** How the images that a node is to have are there. `broken`: the name is there, its content is not whole. */
export interface ImageState {
  ref: string;
  bytes: number;
  state: 'here' | 'absent' | 'other' | 'broken' | 'unpinned';
}
/** @param whole also asks whether the content of each is whole, which costs more */
export async function lookAtImages(store: Images, images: readonly ImageArtifact[], whole: boolean): Promise<ImageState[]> {
  const here = new Map((await store.list()).map((i) => [i.ref, i]));
  const broken = whole ? await store.incomplete() : [];
  return images.map((image) => {
    const found = here.get(image.ref);
    const bytes = image.blobs.reduce((sum, b) => sum + b.size, 0);
    const is = (state: ImageState['state']): ImageState => ({ ref: image.ref, bytes, state });
    if (!found) return is('absent');
    if (found.digest !== digestOf(image)) return is('other');
    if (broken.includes(image.ref)) return is('broken');
    return is(found.pinned ? 'here' : 'unpinned');
  });
}
