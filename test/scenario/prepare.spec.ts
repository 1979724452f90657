import type { TestServer } from '../lab/support/server';
import { endServer, outcomes, startServer, TestCluster } from './support/world';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => endServer(server));

describe('preparing many nodes', () => {
  const sizes = process.env.STRATA_FAULTS === 'all' ? [3, 20, 50] : [3, 20];
  it.each(sizes)('%d nodes are prepared; again changes nothing', async (size) => {
    const cluster = await TestCluster.make(server, size);
    try {
      const first = await cluster.finished();
      expect([first.run.result, first.run.because]).toEqual(['done', expect.any(String)]);
      expect(first.run.steps.failed).toBe(0);
      const settled = outcomes(first.events);
      expect(new Set(settled).size).toBe(settled.length);
      for (const { name } of cluster.all) expect(settled).toContain(`${name}/containerd.install changed`);
      const changes = cluster.counts();
      expect(Object.values(changes).every((c) => Object.keys(c).length > 20)).toBe(true);

      const again = await cluster.finished();
      expect([again.run.result, again.run.steps.changed]).toEqual(['done', 0]);
      expect(outcomes(again.events).filter((o) => !o.endsWith(' satisfied'))).toEqual([]);
      expect(cluster.counts()).toEqual(changes);
    } finally {
      cluster.stop();
    }
  });
});
