import { createLogUpdate } from 'log-update';

export interface LiveFrame {
  show(text: string): void;
  /** Prints for good, above the frame. */
  above(text: string): void;
  /** Leaves the last frame where it is. */
  done(): void;
}
/** A block of lines on standard output that is painted again in its place. */
export function liveFrame(): LiveFrame {
  const update = createLogUpdate(process.stdout);
  return {
    show: (text) => update(text),
    above: (text) => {
      update.clear();
      process.stdout.write(`${text}\n`);
    },
    done: () => update.done(),
  };
}
