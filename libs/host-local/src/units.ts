import type { Units, UnitState } from '@strata/tasks';
import { TaskError } from '@strata/tasks';
import { runProgram, tail } from './programs';

const enabledWords = ['enabled', 'disabled', 'static', 'masked'] as const;

/** Units of this machine by systemctl. A failing start carries the last lines of the unit's journal. */
export function localUnits(): Units {
  async function systemctl(verb: string, unit: string, timeoutMs = 120_000): Promise<void> {
    const r = await runProgram(['systemctl', verb, '--', unit], { timeoutMs });
    if (r.code === 0) return;
    throw new TaskError('unit-failed', `\`systemctl ${verb} ${unit}\` ended with exit status ${r.code}`, {
      remedy: `read \`journalctl -u ${unit}\` on this machine, mend the cause, then retry the step`,
      retry: true,
      detail: [...tail(r.stderr, 4), ...(await log(unit, 10))],
    });
  }
  async function log(unit: string, lines: number): Promise<string[]> {
    const r = await runProgram(['journalctl', '-q', '--no-pager', '-o', 'cat', '-n', String(lines), '-u', unit], { timeoutMs: 15_000 });
    return r.stdout.split('\n').filter(Boolean);
  }
  const verb = (name: string) => (unit: string) => systemctl(name, unit);
  return {
    state: async (unit) => {
      const r = await runProgram(['systemctl', 'show', '-p', 'LoadState,ActiveState,UnitFileState,MainPID', '--', unit], { timeoutMs: 30_000 });
      return unitState(r.stdout);
    },
    start: verb('start'),
    stop: async (unit) => {
      await systemctl('stop', unit);
      await runProgram(['systemctl', 'reset-failed', '--', unit], { timeoutMs: 30_000 }); // else one that had failed stays listed, even when its file is gone
    },
    restart: verb('restart'),
    reload: verb('reload'),
    enable: (unit) => systemctl('enable', unit),
    disable: (unit) => systemctl('disable', unit),
    mask: verb('mask'),
    unmask: verb('unmask'),
    daemonReload: async () => {
      const r = await runProgram(['systemctl', 'daemon-reload'], { timeoutMs: 60_000 });
      if (r.code !== 0)
        throw new TaskError('unit-failed', `\`systemctl daemon-reload\` ended with exit status ${r.code}`, {
          remedy: 'look at the journal of this machine',
          retry: true,
          detail: tail(r.stderr, 4),
        });
    },
    log,
  };
}
/** @param show what `systemctl show` printed */
export function unitState(show: string): UnitState {
  const value = (key: string): string => new RegExp(`^${key}=(.*)$`, 'm').exec(show)?.[1] ?? '';
  const file = value('UnitFileState');
  const pid = Number(value('MainPID'));
  const load = value('LoadState');
  return {
    load: load === 'loaded' || load === 'masked' ? load : load === 'not-found' || load === '' ? 'not-found' : 'error',
    active: (value('ActiveState') || 'inactive') as UnitState['active'],
    enabled: enabledWords.find((w) => w === file) ?? 'unknown',
    mainPid: pid > 0 ? pid : null,
  };
}
