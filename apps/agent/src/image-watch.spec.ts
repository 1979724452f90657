import { keepImages, keptImagesFile } from '@strata/tasks';
import { MemoryHost, sampleImage, seedContainerd } from '@strata/tasks/testing';
import { ImageWatch } from './image-watch';

const [web, db] = [sampleImage('web'), sampleImage('db')];
async function watched(): Promise<{ host: MemoryHost; watch: ImageWatch; said: string[]; at: { now: number; changed: number | null } }> {
  const host = new MemoryHost();
  seedContainerd(host);
  await keepImages(host, { place: 'own', images: [web, db] });
  await host.artifacts.fetch([web, db], {});
  await host.images('own').import([web, db], {});
  for (const { ref } of [web, db]) await host.images('own').pin(ref);
  const [said, at] = [[] as string[], { now: 1_000_000, changed: 1 as number | null }];
  const images = host.images;
  Object.assign(host, { images: (place: 'own') => ({ ...images(place), changedAt: async () => Promise.resolve(at.changed) }) });
  return { host, said, at, watch: new ImageWatch({ host, busy: () => false, say: (line) => void said.push(line), now: () => at.now }) };
}

test('an image that is gone comes back alone, pinned, and with nothing new nothing is asked', async () => {
  const { host, watch, at, said } = await watched();
  expect(await watch.look()).toEqual([]);
  host.imageStore.delete(web.ref);
  expect(await watch.look()).toEqual([]); // nothing says that anything changed
  at.changed = 2;
  const before = host.effects.made;
  expect(await watch.look()).toEqual([web.ref]);
  expect(host.imageStore.get(web.ref)).toMatchObject({ pinned: true });
  expect(host.effects.done.slice(before).filter((e) => e.startsWith('images.import'))).toEqual([`images.import ${web.ref}`]);
  expect(said).toEqual([`images: ${web.ref} is gone or not whole, and brought back`]);
});
test('content that was lost behind the runtime is found by the look that asks for it', async () => {
  const { host, watch, at } = await watched();
  expect(await watch.look()).toEqual([]);
  host.brokenImages.add(db.ref);
  expect(await watch.look()).toEqual([]);
  at.now += 10 * 60_000;
  expect(await watch.look()).toEqual([db.ref]);
  expect(host.brokenImages.size).toBe(0);
});
test('what leads to other content, what is not kept, and a machine without a runtime are left alone', async () => {
  const { host, watch, at } = await watched();
  host.imageStore.set(web.ref, { digest: 'sha256:other', pinned: true });
  expect(await watch.look()).toEqual([]);
  at.changed = null;
  host.imageStore.delete(db.ref);
  expect(await watch.look()).toEqual([]);
  at.changed = 3;
  await host.files.remove(keptImagesFile);
  expect(await watch.look()).toEqual([]);
});
