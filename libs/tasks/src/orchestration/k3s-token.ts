import { NodeName } from '@strata/model';
import { z } from 'zod';
import { defineTask, sealed } from '../define-task';
import { must } from '../programs';
import type { Host } from '../ports/host';
import { k3sPaths as paths } from './k3s-config';

const fileOf = (node: string): string => `${paths.tokens}/${node}`;
const idOf = (token: string): string => /(?:::)?([a-z0-9]{6})\.[a-z0-9]{16}\s*$/.exec(token)?.[1] ?? '';
const inCluster = async (host: Host, node: string): Promise<boolean> =>
  (await must(host, ['k3s', 'kubectl', 'get', 'node', node, '--ignore-not-found', '-o', 'name'])).stdout.trim() !== '';
const valid = async (host: Host, token: string): Promise<boolean> =>
  idOf(token) !== '' && (await must(host, ['k3s', 'token', 'list'])).stdout.includes(idOf(token));

/**
 * A token with which one machine may join as an agent, for an hour: never the server's own token, which could join servers. Made on the
 * control plane, because only it can; gone when the node has joined (`k3s.token-retire`). A node that is in the cluster needs none.
 */
export const k3sToken = defineTask({
  name: 'k3s.token', version: 1, layer: 'orchestration', timeout: '1m', attempts: 4,
  title: 'There is a token for one node to join with',
  input: z.strictObject({ node: NodeName }),
  before: z.strictObject({}),
  output: z.strictObject({ token: sealed() }),
  async check({ host, input }) {
    if (await inCluster(host, input.node)) return { state: 'satisfied', output: { token: '' } };
    const token = await host.files.read(fileOf(input.node));
    if (token !== null && (await valid(host, token))) return { state: 'satisfied', output: { token: token.trim() } };
    return { state: 'unsatisfied', reason: `${input.node} has no token`, before: {} };
  },
  async apply({ host, input }) {
    const { stdout } = await must(host, ['k3s', 'token', 'create', '--ttl', '1h', '--description', `the join of node ${input.node}`]);
    await host.files.write(fileOf(input.node), stdout, { mode: 0o600 });
  },
  undo: { never: 'the token is retired once the node has joined, and ends by itself after an hour' },
}); // prettier-ignore

export const k3sTokenRetire = defineTask({
  name: 'k3s.token-retire', version: 1, layer: 'orchestration', timeout: '1m', attempts: 4,
  title: 'The token is worth nothing any more',
  input: z.strictObject({ node: NodeName }),
  before: z.strictObject({}),
  output: z.strictObject({}),
  async check({ host, input }) {
    if ((await host.files.stat(fileOf(input.node))) === null) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: `the token of ${input.node} is still there`, before: {} };
  },
  async apply({ host, input }) {
    const token = (await host.files.read(fileOf(input.node))) ?? '';
    if (await valid(host, token)) await must(host, ['k3s', 'token', 'delete', idOf(token)]); // else its hour is over, or an attempt that died deleted it
    await host.files.remove(fileOf(input.node));
  },
  undo: { never: 'a node that joins again gets a new token' },
}); // prettier-ignore
