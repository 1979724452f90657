import { NodeName } from '@strata/model';
import { z } from 'zod';
import { defineServerTask } from '../define-task';

export const agentRemove = defineServerTask({
  name: 'agent.remove', version: 1, layer: 'native', timeout: '5m', attempts: 3,
  title: 'The agent is gone and its certificate is worth nothing',
  input: z.strictObject({ node: NodeName, force: z.boolean() }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ control, input }) {
    if (!(await control.session(input.node)).enrolled) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: `${input.node} is enrolled`, before: {} };
  },
  async apply({ control, input, signal }) {
    await control.removeAgent(input.node, { force: input.force, signal });
  },
  undo: { never: 'a node comes back by being added again' },
}); // prettier-ignore
