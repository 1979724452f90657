import { ImageArtifact } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import type { Host, Images } from '../ports/host';
import { RuntimePlace, runtimePaths } from '../runtime-place';
import { digestOf, forgetImages, keepImages, lookAtImages, notKept } from './images-kept';

interface Look {
  absent: ImageArtifact[];
  unpinned: string[];
}
async function look(store: Images, images: readonly ImageArtifact[], whole = true): Promise<Look> {
  const states = await lookAtImages(store, images, whole);
  const inState = (...wanted: string[]): string[] => states.filter((s) => wanted.includes(s.state)).map((s) => s.ref);
  const absent = inState('absent', 'other', 'broken');
  return { absent: images.filter((i) => absent.includes(i.ref)), unpinned: inState('unpinned') };
}

export const imagesImport = defineTask({
  name: 'images.import', version: 1, layer: 'native', timeout: '30m', timeoutFrom: 'progress', attempts: 3,
  title: 'The images are in the container runtime, and stay there',
  input: z.strictObject({ images: z.array(ImageArtifact), place: RuntimePlace.default('own') }),
  before: z.strictObject({ absent: z.array(z.string()), place: RuntimePlace.default('own') }), // refs that were not there under any digest
  output: z.strictObject({}),
  async check({ host, input }) {
    if (!(await runs(host, input.place))) return { state: 'unknown', until: 'containerd runs (containerd.install)' };
    const store = host.images(input.place);
    const { absent, unpinned } = await look(store, input.images);
    const unkept = await notKept(host, input.images);
    if (absent.length === 0 && unpinned.length === 0 && unkept.length === 0) return { state: 'satisfied', output: {} };
    const known = new Set((await store.list()).map((i) => i.ref));
    const reason = absent.length > 0 ? `not imported: ${absent.map((i) => i.ref).join(', ')}` : unpinned.length > 0 ? `not pinned: ${unpinned.join(', ')}` : `nobody would bring them back: ${unkept.join(', ')}`;
    return { state: 'unsatisfied', reason, before: { absent: input.images.map((i) => i.ref).filter((ref) => !known.has(ref)), place: input.place } };
  },
  async apply({ host, input, progress, signal }) {
    const store = host.images(input.place);
    const { absent } = await look(store, input.images);
    if (absent.length > 0) {
      await host.artifacts.fetch(absent, { progress, signal }); // nothing to do unless the store lost one
      await store.import(absent, { progress, signal });
    }
    const { unpinned } = await look(store, input.images, false); // the check that follows asks whether they are whole
    for (const ref of unpinned) await store.pin(ref);
    await keepImages(host, input); // last: the agent brings back what is kept, and an import is under way until here
  },
  async undo({ host, input, before }) {
    await forgetImages(host, input.images.map((i) => i.ref)); // first: or the agent brings back what is taken away
    if (!(await runs(host, before.place))) return; // its store goes with it, or is not ours
    const store = host.images(before.place);
    const here = new Set((await store.list()).map((i) => i.ref));
    for (const ref of before.absent) if (here.has(ref)) await store.remove(ref);
    for (const ref of await orphans(store, input.images.filter((i) => before.absent.includes(i.ref)))) await store.remove(ref);
  },
}); // prettier-ignore

const runs = async (host: Host, place: RuntimePlace): Promise<boolean> => (await host.units.state(runtimePaths[place].unit)).active === 'active';

/** containerd names each image by its id, too, and keeps its content for that name alone. */
async function orphans(store: Images, gone: readonly ImageArtifact[]): Promise<string[]> {
  const digests = new Set(gone.map(digestOf));
  const left = (await store.list()).filter((i) => digests.has(i.digest));
  const named = new Set(left.filter((i) => !i.ref.includes('sha256:')).map((i) => i.digest));
  return left.filter((i) => !named.has(i.digest)).map((i) => i.ref);
}
