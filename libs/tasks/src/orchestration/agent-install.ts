import { NodeName } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';

export const agentInstall = defineServerTask({
  name: 'agent.install', version: 1, layer: 'native', timeout: '10m', timeoutFrom: 'progress', attempts: 3, pool: 'ssh',
  title: 'The agent runs and is known to the control server',
  input: z.strictObject({ node: NodeName }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ control, input }) {
    const session = await control.session(input.node);
    const wanted = control.agentVersion();
    if (session.connected && session.agentVersion === wanted) return { state: 'satisfied', output: {} };
    const reason = !session.enrolled ? 'there is no agent yet' : session.connected ? `the agent is ${session.agentVersion ?? 'of an unknown version'}, want ${wanted}` : 'the agent is not connected';
    return { state: 'unsatisfied', reason, before: {} };
  },
  async apply({ control, input, progress, signal }) {
    await control.installAgent(input.node, { progress, signal });
  },
  async undo({ control, input, signal }) {
    await control.removeAgent(input.node, { force: false, signal });
  },
}); // prettier-ignore
