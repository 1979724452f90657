import { randomBytes, randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { utils } from 'ssh2';
import type { RunStarted } from '@strata/model';
import type { TestServer } from '../lab/support/server';
import { fakeSshd } from './support/fake-sshd';
import { filesUnder, leaksIn, leaksInFiles, leaksInRedis, leaksInTables, readableByAll, watchArguments } from './support/leaks';
import { openRedis } from './support/redis';
import { Sql } from './support/sql';
import { endServer, startServer, TestCluster } from './support/world';

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ logLevel: 'trace' });
});
afterAll(() => endServer(server));
const canary = (): string => `canary${randomBytes(16).toString('hex')}`;

test('no secret is anywhere but in the sealed columns, the files of root and the memory of those who need it', async () => {
  const canaries = new Map<string, string>([['SSH password', canary()], ['sudo password', canary()], ['passphrase', canary()], ['bastion password', canary()]]); // prettier-ignore
  const watch = watchArguments(canaries);
  const sshd = await fakeSshd();
  const cluster = await TestCluster.make(server, 2);
  try {
    const { api } = server;
    const passphrase = canaries.get('passphrase') ?? '';
    const privateKey = utils.generateKeyPairSync('ed25519', { passphrase, cipher: 'aes256-ctr', rounds: 4 }).private;
    canaries.set('private key', privateKey.split('\n')[2] ?? '');
    canaries.set('admin token', server.token);
    for (const name of ['ca.key', 'order.key', 'box.key', 'bundle.key']) canaries.set(name, readFileSync(join(server.home, 'secrets', name), 'utf8').split('\n')[1] ?? '');
    for (const name of ['master.key', 'plan-seal.key']) canaries.set(name, readFileSync(join(server.home, 'secrets', name)).toString('latin1'));

    // secrets of first contact that are kept and tried: a node whose SSH server lets nobody in, and one that is away
    const spec = (name: string, port: number): object => ({
      ...{ apiVersion: 'strata/v1', kind: 'Cluster', metadata: { name } },
      spec: {
        distribution: { kind: 'kubernetes', version: '1.37.2' },
        nodes: [{ name: 'a', role: 'control-plane', address: '127.0.0.1', ssh: { port, user: 'ops', acceptNewHostKey: true } }],
      },
    });
    const secrets = { password: canaries.get('SSH password'), sudoPassword: canaries.get('sudo password'), privateKey, passphrase, bastionPassword: canaries.get('bastion password') }; // prettier-ignore
    for (const [name, port] of [
      [`ssh${cluster.shared.mark}`, sshd.port],
      [`off${cluster.shared.mark}`, 1],
    ] as const) {
      // prettier-ignore
      const headers = { 'idempotency-key': randomUUID() };
      await api.must('POST', '/v1/clusters', { body: { spec: spec(name, port), secrets: { a: secrets } }, headers });
      const { runId } = await api.must<RunStarted>('POST', `/v1/clusters/${name}/runs`, { body: { intent: { kind: 'install' } } });
      expect((await cluster.ended(runId)).result).toBe('refused');
    }
    expect(sshd.tried.find((t) => t.method === 'password')?.password).toBe(canaries.get('SSH password'));
    expect(sshd.tried.some((t) => t.method === 'publickey')).toBe(true);
    await api.ask('POST', '/v1/clusters', { body: { spec: { wrong: canaries.get('SSH password') }, secrets: { a: secrets } } }); // a body that is refused

    // join tokens, bootstrap tokens, a kubeconfig: all that an install makes
    canaries.set('join token', (await cluster.tokenFor('n1').catch(() => '')) || canary());
    const spare = await TestCluster.make(server, 1, { without: ['n1'] });
    canaries.set('join token', (await spare.tokenFor('n1')).split('.')[1] ?? '');
    spare.stop();
    expect((await cluster.finished({ kind: 'install' })).run.result).toBe('done');
    const given = cluster.all.flatMap((a) => a.seen.orders.flatMap((o) => Object.entries(o.message.secrets)));
    expect(given.length).toBeGreaterThan(0);
    for (const [what, value] of given) canaries.set(`secret ${what}`, value.toString('utf8'));
    const kubeconfig = await api.must<string>('GET', `/v1/clusters/${cluster.name}/kubeconfig`);
    canaries.set('key of the kubeconfig', /client-key-data: "?([^"\s]+)/.exec(kubeconfig)?.[1] ?? '');
    for (const [what, value] of canaries) expect([what, value.length > 15]).toEqual([what, true]);

    const sql = await Sql.open(server.home);
    const redis = openRedis(server.home);
    await sql.rows('CHECKPOINT');
    expect(await leaksInTables(canaries, sql)).toEqual([]);
    expect(await leaksInRedis(canaries, redis)).toEqual([]);
    await sql.close();
    redis.disconnect();
    // all files of the home, raw: the databases' own, their logs and write-ahead logs, Redis' append-only file, our logs and journals
    const inSecrets = (path: string): boolean => path.startsWith(join(server.home, 'secrets/')) || path.startsWith(join(server.home, 'run/compiled/'));
    expect(leaksInFiles(canaries, server.home, inSecrets)).toEqual([]);
    for (const agent of cluster.all) expect(leaksIn(canaries, `the journal of ${agent.name}`, agent.disk.lines.join('\n'))).toEqual([]);
    const runs = await api.must<{ runs: { id: string }[] }>('GET', '/v1/runs');
    for (const { id } of runs.runs) expect(leaksIn(canaries, `the events of ${id}`, JSON.stringify(await api.eventsOf(id)))).toEqual([]);
    for (const path of ['/v1/clusters', `/v1/clusters/${cluster.name}`, `/v1/clusters/ssh${cluster.shared.mark}/nodes`, '/v1/runs'])
      expect(leaksIn(canaries, path, JSON.stringify(await api.must('GET', path)))).toEqual([]);

    expect(statSync(join(server.home, 'secrets')).mode & 0o777).toBe(0o700);
    expect([...filesUnder(join(server.home, 'secrets'))].filter((p) => (statSync(p).mode & 0o077) !== 0 && !p.endsWith('ca.pem'))).toEqual([]);
    for (const path of readableByAll(server.dir)) expect(leaksIn(canaries, path, readFileSync(path))).toEqual([]);
  } finally {
    cluster.stop();
    sshd.stop();
    const seen = watch.stop();
    expect(seen.leaks).toEqual([]);
    expect(seen.looks).toBeGreaterThan(20);
  }
}, 300_000);
