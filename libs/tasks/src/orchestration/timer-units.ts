import { z } from 'zod';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';

/** A service of ours that a timer starts, and what starts it. Texts are made here, of fixed words: no input of a task is ever among them. */
export interface TimedJob {
  /** Of both units, without the ending. */
  name: string;
  what: string;
  /** One program after the other; the next only when the one before it ended well, or when its line begins with `-`. */
  programs: readonly string[];
  calendar: string;
  delay: string; // at most so much later: not all nodes at once
  after?: string;
  /** A file of root's with variables of the programs' environment: what must be in no argument. */
  environment?: string;
}
/** Both units. A job ends in a second or two: without `StartLimitIntervalSec=0` systemd would refuse the sixth start in ten seconds to an operator's script. */
export const timerFiles = (job: TimedJob): { path: string; content: string }[] => [
  {
    path: `/etc/systemd/system/${job.name}.service`,
    content: `# Written by Strata
[Unit]
Description=${job.what}
After=${job.after ?? 'network-online.target'}
StartLimitIntervalSec=0

[Service]
Type=oneshot
UMask=0077
Nice=10
${job.environment === undefined ? '' : `EnvironmentFile=${job.environment}\n`}${job.programs.map((p) => `ExecStart=${p}`).join('\n')}
`,
  },
  {
    path: `/etc/systemd/system/${job.name}.timer`,
    content: `# Written by Strata
[Unit]
Description=${job.what}, by the clock

[Timer]
OnCalendar=${job.calendar}
RandomizedDelaySec=${job.delay}
Persistent=true

[Install]
WantedBy=timers.target
`,
  },
];

const wants = '/etc/systemd/system/timers.target.wants';
const stamps = '/var/lib/systemd/timers';
/** Which of systemd's folders for timers are there: it makes them with the first timer, and takes the first of them away with the last. */
export const TimerFolders = z.array(z.enum([wants, stamps]));
export type TimerFolders = z.infer<typeof TimerFolders>;
export async function timerFolders(host: Host): Promise<TimerFolders> {
  const there: TimerFolders = [];
  for (const folder of [wants, stamps] as const) if ((await host.files.stat(folder)) !== null) there.push(folder);
  return there;
}

/** The words for what is wrong with a timer and its job, or null. `failed`: those for a job whose last run failed. */
export async function timerTrouble(host: Host, name: string, failed: string): Promise<string | null> {
  const timer = await host.units.state(`${name}.timer`);
  if (timer.enabled !== 'enabled' || timer.active !== 'active') return `${name}.timer does not run`;
  return (await host.units.state(`${name}.service`)).active === 'failed' ? failed : null;
}

/** Starts the timer, and its job once now. @throws TaskError with `failure`'s code and message when the job fails */
export async function startTimer(host: Host, name: string, failure: { code: string; message: string }): Promise<void> {
  await host.units.daemonReload();
  await host.units.enable(`${name}.timer`);
  await host.units.start(`${name}.timer`);
  await host.units.start(`${name}.service`).catch(async (cause: unknown) => {
    throw new TaskError(failure.code, failure.message, {
      remedy: `see \`journalctl -u ${name}\` on the node, then retry the step`, retry: true, cause, detail: await host.units.log(`${name}.service`, 8),
    });
  });
} // prettier-ignore

/** Ends a timer and its job, with systemd's note of when it last ran; `before`: the folders that were there before it. */
export async function endTimer(host: Host, name: string, before: TimerFolders): Promise<void> {
  if ((await host.units.state(`${name}.timer`)).load !== 'not-found') {
    await host.units.stop(`${name}.timer`);
    await host.units.disable(`${name}.timer`);
  }
  await host.units.stop(`${name}.service`);
  await host.files.remove(`${stamps}/stamp-${name}.timer`);
  if (!before.includes(stamps) && (await host.files.stat(stamps)) !== null && (await host.files.list(stamps)).length === 0)
    await host.files.remove(stamps, { recursive: true });
  if (before.includes(wants) && (await host.files.stat(wants)) === null) await host.files.mkdir(wants);
}
