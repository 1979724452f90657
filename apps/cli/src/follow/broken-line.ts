import type { Terminal } from '../terminal';

/** What a feed tells of its connection. */
export interface LineNews {
  note(attempt: number, why: string, inMs: number): void;
  back(): void;
}
/** Says on standard error once that the server does not answer, and once that it does again; nothing of a connection that is there again at once. */
export function brokenLine(terminal: Pick<Terminal, 'err'>): LineNews {
  let broken = false;
  return {
    note: (attempt, why) => {
      if (attempt === 2 && !broken) terminal.err(`the server does not answer (${why}); trying again until it does`);
      broken ||= attempt >= 2;
    },
    back: () => {
      if (broken) terminal.err('the server answers again');
      broken = false;
    },
  };
}
/** The same for programs: a JSON object a line. */
export const brokenLineJson = (terminal: Pick<Terminal, 'err'>): LineNews => ({
  note: (attempt, why, inMs) => attempt > 1 && terminal.err(JSON.stringify({ kind: 'reconnecting', attempt, why, inMs })),
  back: () => undefined,
});
