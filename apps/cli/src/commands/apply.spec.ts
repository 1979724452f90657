import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApiClient } from '@strata/api-client';
import type { ApplyClusterBody } from '@strata/model';
import type { ServerContext } from '../context/context';
import { readSpec } from './apply';
import type { Cli } from './cli';

let dir: string;
beforeAll(() => void (dir = mkdtempSync('/tmp/strata-apply-')));
afterAll(() => rmSync(dir, { recursive: true }));

/** What is sent of a spec whose metadata are with somebody else. `there`: the cluster has a node already. */
async function sent(passwordFrom: string, { there, env = {} }: { there: boolean; env?: Record<string, string> }): Promise<{ body: ApplyClusterBody; asked: string[] }> {
  const file = join(dir, 'cluster.yaml');
  const metadata = `{ kind: external, url: "postgres://a@db.example/a", passwordFrom: "${passwordFrom}" }`;
  const spec = `{ nodes: [{ name: n1, join: token, role: control-plane }], storage: { kind: juicefs, metadata: ${metadata} } }`;
  writeFileSync(file, `{ apiVersion: strata/v1, kind: Cluster, metadata: { name: home }, spec: ${spec} }\n`);
  const asked: string[] = [];
  const askHidden = async (question: string): Promise<string> => Promise.resolve((asked.push(question), 'typed'));
  const client = { nodes: () => Promise.resolve(there ? [{ name: 'n1', state: 'enrolled' }] : []) } as unknown as ApiClient;
  const context = { url: 'https://127.0.0.1:7443' } as ServerContext;
  const body = await readSpec({ env: { HOME: dir, ...env }, terminal: { askHidden } } as unknown as Cli, file, { client, context });
  return { body, asked };
} // prettier-ignore

test('the password of metadata with somebody else is sent beside the spec, never in it', async () => {
  const { body } = await sent('env:META', { there: false, env: { META: 'the-word' } });
  expect(body.metadataPassword).toBe('the-word');
  expect(JSON.stringify(body.spec)).not.toContain('the-word');
});
test('it is asked for once, and for a cluster that is there no more; where it can be had without asking it is sent anew', async () => {
  expect(await sent('prompt', { there: false })).toMatchObject({ body: { metadataPassword: 'typed' }, asked: ['password of the metadata: '] });
  const later = await sent('prompt', { there: true });
  expect([later.body.metadataPassword, later.asked]).toEqual([undefined, []]);
  expect((await sent('env:META', { there: true })).body.metadataPassword).toBeUndefined();
  expect((await sent('env:META', { there: true, env: { META: 'another' } })).body.metadataPassword).toBe('another');
});
test('a spec of which it cannot be had is not sent', async () => {
  await expect(sent('env:META', { there: false })).rejects.toThrow(/password of the metadata comes from env:META, which is not set/);
});
