import { HostOrIp } from '@strata/model';
import { z } from 'zod';
import { defineTask, secretInput } from '../define-task';
import { until } from '../wait';
import { k3sPaths as paths } from './k3s-config';
import { K3sUnitBefore, k3sBefore, k3sState, startK3s, takeBackK3s, unitName } from './k3s-unit';

/** K3s as a worker. The token's file stays, because K3s asks for one at each start; the token in it is retired, the node's certificate counts. */
export const k3sAgent = defineTask({
  name: 'k3s.agent', version: 1, layer: 'orchestration', timeout: '6m', attempts: 4,
  title: 'The node joins the cluster',
  input: z.strictObject({ token: secretInput(), endpoint: HostOrIp }),
  before: K3sUnitBefore,
  output: z.strictObject({}),
  async check({ host }) {
    const joined = (await host.files.stat(paths.kubeletClient)) !== null;
    const words = (await k3sState(host, 'agent')) ?? (joined ? null : 'the node has no certificate of the cluster yet');
    return words === null ? { state: 'satisfied', output: {} } : { state: 'unsatisfied', reason: words, before: await k3sBefore(host, 'agent') };
  },
  async apply({ host, input, secret, clock, signal }) {
    const token = secret(input.token);
    if (token !== '') await host.files.write(paths.agentToken, token, { mode: 0o600 });
    await startK3s(host, 'agent');
    const remedy = `see \`journalctl -u ${unitName('agent')}\` on the node, then retry the step`;
    await until(clock, { what: "the node's certificate", timeoutMs: 240_000, everyMs: 250, signal, remedy }, async () =>
      (await host.files.stat(paths.kubeletClient)) === null ? null : true,
    );
  },
  async undo({ host, before }) {
    await takeBackK3s(host, 'agent', before);
    await host.files.remove(paths.agentToken);
  },
}); // prettier-ignore
