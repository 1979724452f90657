import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { must, until } from '../lab/support/program';
import type { TestServer } from '../lab/support/server';
import { endServer, outcomes, soonMs, startServer, TestCluster } from './support/world';

test('all state is one directory: stopped in mid-run, copied, started elsewhere, every agent reconnects and the run goes on', async () => {
  const server = await startServer();
  let there: TestServer = server;
  const cluster = await TestCluster.make(server, 3);
  try {
    const gate = cluster.gate('n1', /packages\.install/);
    const runId = await cluster.start();
    await gate.reached;
    const before = await server.api.followEvents(runId, { enough: 20 });
    await server.down();
    const elsewhere = join(server.dir, 'elsewhere');
    await must(['cp', '-a', server.home, elsewhere], { timeoutMs: 60_000 });
    renameSync(server.home, join(server.dir, 'gone')); // nobody falls back to it
    there = Object.create(server, { home: { value: elsewhere } }) as TestServer; // the same ports and settings
    await there.up();
    await until('every agent to be back by itself', soonMs, () => cluster.all.every((a) => a.connected));
    gate.open();
    const run = await until('the run to end', soonMs * 2, async () => {
      const now = await there.api.must<{ state: string; result: string }>('GET', `/v1/runs/${runId}`);
      return now.state === 'ended' ? now : null;
    });
    expect(run.result).toBe('done');
    const events = await there.api.eventsOf(runId);
    expect(events.slice(0, 20)).toEqual(before.messages.map((m) => m.event));
    expect(new Set(outcomes(events)).size).toBe(outcomes(events).length);
    expect(cluster.all.flatMap((a) => a.seen.refused)).toEqual([]);
  } finally {
    cluster.stop();
    await endServer(there);
    rmSync(server.dir, { recursive: true, force: true });
  }
}, 300_000);
