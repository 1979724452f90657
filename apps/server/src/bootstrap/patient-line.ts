import { setTimeout as sleep } from 'node:timers/promises';
import { SshError, type SshMachine } from '@strata/host-ssh';

const patienceMs = 5 * 60_000;
const pauseMs = 3_000;
type Progress = (fraction: number | null, note: string) => void;

export interface PatientLine {
  /** The connection of now. */
  machine: SshMachine;
  /** Progress that also tells this line that something came. */
  heard: (progress: Progress) => Progress;
  /** Does work that can go on from where it was, over as many connections as it takes. */
  over: <T>(work: (machine: SshMachine) => Promise<T>, doing: { progress: Progress; signal: AbortSignal }) => Promise<T>;
}

/**
 * A connection that is opened again when the line was lost or gave nothing for a minute, until nothing came for five minutes. Says meanwhile what is
 * the matter. Anything else that goes wrong is thrown at once.
 */
export function patientLine(open: () => Promise<SshMachine>, first: SshMachine): PatientLine {
  let since = performance.now();
  const lost = (e: unknown): e is SshError => e instanceof SshError && ['timeout', 'connection-lost', 'unreachable'].includes(e.code);
  const line: PatientLine = {
    machine: first,
    heard: (progress) => {
      let last = '';
      return (fraction, note) => {
        if (note !== last) since = performance.now();
        last = note;
        progress(fraction, note);
      };
    },
    over: async (work, { progress, signal }) => {
      since = performance.now();
      for (let up = true; ;) {
        try {
          if (!up) line.machine = await open();
          up = true;
          return await work(line.machine);
        } catch (error) {
          if (!lost(error) || signal.aborted || performance.now() - since > patienceMs) throw error;
          if (up) line.machine.close();
          up = false;
          progress(null, `${error.message}; trying again, and going on from what came`);
          await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
        }
      }
    },
  };
  return line;
}
