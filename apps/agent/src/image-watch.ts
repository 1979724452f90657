import type { ImageArtifact } from '@strata/model';
import { type Host, type ImageState, lookAtImages, readKeptImages } from '@strata/tasks';

const lookEveryMs = 15_000;
/** Whether content is whole is asked less often: nothing tells of a file that was deleted behind the runtime's back. */
const wholeEveryMs = 10 * 60_000;
/** An image that cannot be had, or is taken away again at once, is not fetched over and over. */
const backOffMs = [0, 15_000, 60_000, 300_000];

/** Brings back images that the node is to have and that its runtime lost. Waits while an order is at work: that may be what changes them. */
export class ImageWatch {
  private seenAt: number | null = null;
  private wholeAt = 0;
  private failures = 0;
  private notBefore = 0;
  private timer: NodeJS.Timeout | undefined;
  private looking = false;

  constructor(private readonly o: { host: Host; busy: () => boolean; say: (line: string) => void; now: () => number }) {}

  start(): void {
    this.timer = setInterval(() => void this.tick(), lookEveryMs).unref();
  }
  stop(): void {
    clearInterval(this.timer);
  }
  private async tick(): Promise<void> {
    if (this.looking || this.o.busy()) return;
    this.looking = true;
    try {
      await this.look();
    } catch (error) {
      this.failures = Math.min(this.failures + 1, backOffMs.length - 1);
      this.notBefore = this.o.now() + (backOffMs[this.failures] ?? 0);
      this.seenAt = null;
      this.o.say(`images: ${(error as Error).message}; the next try is in ${Math.round((backOffMs[this.failures] ?? 0) / 1000)} s`);
    } finally {
      this.looking = false;
    }
  }

  /** One look, and what follows from it. @returns the refs that were brought back */
  async look(): Promise<string[]> {
    const { host, now } = this.o;
    if (now() < this.notBefore) return [];
    const kept = await readKeptImages(host);
    if (kept === null) return [];
    const store = host.images(kept.place);
    const at = await store.changedAt();
    const whole = now() >= this.wholeAt;
    if (at === null || (at === this.seenAt && !whole)) return []; // no runtime, or nothing new
    const images = Object.values(kept.images);
    const lost = lostOf(images, await lookAtImages(store, images, whole));
    if (whole) this.wholeAt = now() + wholeEveryMs;
    if (lost.length > 0) {
      this.o.say(`images: ${lost.map((i) => i.ref).join(', ')} ${lost.length === 1 ? 'is' : 'are'} gone or not whole, and brought back`);
      await host.artifacts.fetch(lost, {}); // from this node's own store, else from the control server
      await store.import(lost, {});
      for (const { ref } of lost) await store.pin(ref);
    }
    this.failures = 0;
    this.seenAt = lost.length > 0 ? null : at; // what was brought back is looked at once more
    return lost.map((i) => i.ref);
  }
}
/** A name that leads to other content is somebody's doing, and left to the next apply. */
function lostOf(images: readonly ImageArtifact[], states: readonly ImageState[]): ImageArtifact[] {
  const lost = states.filter((s) => s.state === 'absent' || s.state === 'broken').map((s) => s.ref);
  return images.filter((i) => lost.includes(i.ref));
}
