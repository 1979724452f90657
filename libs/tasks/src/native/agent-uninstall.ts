import { z } from 'zod';
import { defineTask } from '../define-task';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';

/** The farewell outlives the agent: it is a timer of systemd, long enough ahead that this order is settled first. */
const farewell = 'strata-farewell';
const delaySeconds = 3;
const agentUnit = '/etc/systemd/system/stratad.service';

async function scheduled(host: Host): Promise<boolean> {
  for (const end of ['timer', 'service']) {
    const state = await host.units.state(`${farewell}.${end}`);
    if (state.load === 'loaded' && (state.active === 'active' || state.active === 'activating')) return true;
  }
  return false;
}

export const agentUninstall = defineTask({
  name: 'agent.uninstall', version: 1, layer: 'native', timeout: '1m', attempts: 3,
  title: 'The agent takes itself away as soon as it has said so',
  input: z.strictObject({}),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host }) {
    if (await scheduled(host)) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: 'the agent is here to stay', before: {} };
  },
  async apply({ host }) {
    const binary = /^ExecStart=(\/\S+) run$/m.exec((await host.files.read(agentUnit)) ?? '')?.[1];
    if (binary === undefined)
      throw new TaskError('no-agent-unit', `${agentUnit} does not say where the agent's program is`, { remedy: 'run `stratad uninstall` on this machine' });
    await must(host, ['systemd-run', `--on-active=${delaySeconds}`, `--unit=${farewell}`, '--timer-property=AccuracySec=100ms', '--collect', binary, 'uninstall'], {
      timeoutMs: 20_000,
      remedy: 'run `stratad uninstall` on this machine',
    });
  },
  undo: { never: 'a node comes back by being added again' },
}); // prettier-ignore
