import { existsSync } from 'node:fs';
import { World } from './support/world';

/**
 * K3s on real machines. Its binary is in no package registry, so this runs only where a control server of this machine has fetched it once
 * (`/var/cache/strata/artifacts/obtained`); elsewhere it is skipped: what is missing is the vendor's binary.
 */
const version = '1.34.4+k3s1';
const isThere = existsSync(`/var/cache/strata/artifacts/obtained/k3s@${version}.json`);
const long = 10 * 60_000;

(isThere ? test : test.skip)('K3s makes a cluster of two machines, and gives them back (skipped where the vendor’s k3s binary is not in the cache)', async () => {
  const world = await World.make({ nodes: 2, base: 'ready' });
  try {
    const spec = await world.specFile({}, (text) => text.replace(/kind: kubernetes/, 'kind: k3s').replace(/version: .*/, `version: ${version}`));
    const applied = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
    expect([applied.code, applied.code === 0 ? '' : applied.stdout.slice(-3_000)]).toEqual([0, '']);
    const { items } = JSON.parse(await world.lab.must('n1', ['k3s', 'kubectl', 'get', 'nodes', '-o', 'json'])) as { items: { metadata: { name: string }; status: { conditions: { type: string; status: string }[] } }[] };
    expect(items.map((n) => [n.metadata.name, n.status.conditions.some((c) => c.type === 'Ready' && c.status === 'True')]).sort()).toEqual([['n1', true], ['n2', true]]);
    expect((await world.server.strata(['uninstall', world.cluster, '--yes'], { timeoutMs: long })).code).toBe(0);
  } finally {
    await world.dispose();
  }
}, 2 * long); // prettier-ignore
