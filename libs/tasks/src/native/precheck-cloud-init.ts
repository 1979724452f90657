import { z } from 'zod';
import { definePrecheck } from '../define-task';
import type { Host } from '../ports/host';
import { until } from '../wait';
import { warning } from './findings';

/** What cloud-init says it is doing, and its own words of what went wrong. */
async function status(host: Host): Promise<{ now: string; detail: string }> {
  const { stdout } = await host.programs.run(['cloud-init', 'status', '--long'], { timeoutMs: 30_000 });
  const line = (key: string): string => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(stdout)?.[1]?.trim() ?? '';
  return { now: line('status'), detail: stdout.slice(stdout.indexOf('detail:')).split('\n').slice(1, 3).join(' ').trim() };
}

/**
 * A new cloud machine is still being made while it answers already: packages, names and addresses change under whoever works on it. Nothing
 * is changed before cloud-init says that it is done.
 */
export const precheckCloudInit = definePrecheck({
  name: 'precheck.cloud-init', version: 1, timeout: '11m',
  title: 'cloud-init has ended',
  input: z.strictObject({}),
  async look({ host, clock, signal, progress }) {
    if ((await host.programs.which('cloud-init')) === null) return [];
    let last = await status(host);
    const ended = async (): Promise<true | null> => {
      last = await status(host);
      return last.now === 'running' || last.now === 'not run' || last.now === 'not started' ? null : true;
    };
    progress(null, 'waiting for cloud-init');
    const remedy = 'see `cloud-init status --long` and /var/log/cloud-init.log on this machine';
    const began = (await ended()) ?? (await until(clock, { what: 'cloud-init to end', timeoutMs: 600_000, everyMs: 2_000, signal, remedy, note: () => last.now }, ended));
    if (began && /^(error|degraded)/.test(last.now))
      return [warning('cloud-init.failed', `cloud-init ended with ${last.now}${last.detail === '' ? '' : `: ${last.detail}`}`, `${remedy}: what it left undone may be missing here`)];
    return [];
  },
}); // prettier-ignore
