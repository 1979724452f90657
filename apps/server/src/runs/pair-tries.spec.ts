import type { Tried, Try } from '@strata/host-ssh';
import { roundsOf } from './pair-bandwidth';
import { cellsOf, type Pair, type Prepared, type Ready } from './pair-tries';

/** Machines whose network is a function: what becomes of a try from one to another. `arrives`: what the target sees ahead of its firewall. */
type Network = (from: string, t: Try) => Tried['how'] | 'dies';
const port = (proto: 'tcp' | 'udp', number: number) => ({ proto, port: number, what: 'x', needed: true });
const names = ['n1', 'n2', 'n3'];
const nodeOf = (name: string): Ready['node'] => ({ name, role: 'worker', address: `10.0.0.${name.slice(1)}`, link: 1500, dataPath: '/var/lib', system: '' });

function fleet(network: Network, held: readonly string[] = []): { at: Prepared; pairs: Pair[]; asked: { from: string; tries: number }[] } {
  const asked: { from: string; tries: number }[] = [];
  const seen = new Map<string, { address: string; proto: 'tcp' | 'udp'; port: number; from: string }[]>(names.map((n) => [n, []]));
  const ready = new Map(names.map((name): [string, Ready] => [name, {
    node: nodeOf(name),
    opened: { sniffs: true, listeners: [['tcp', 6443], ['udp', 8472]].map(([proto, p]) => ({ proto: proto as 'tcp', port: p as number, errno: held.includes(`${name} ${p}`) ? 98 : 0 })) },
    probe: {
      language: 'perl',
      close: () => Promise.resolve(),
      talk: {
        seen: () => Promise.resolve(seen.get(name)!),
        sync: () => Promise.resolve([]),
        flow: () => Promise.resolve(null),
        tries: (tries: readonly Try[]) => {
          asked.push({ from: name, tries: tries.length });
          return Promise.all(tries.map((t) => {
            const how = network(name, t);
            if (how === 'dies') return Promise.reject(new Error('the connection ended'));
            const to = `n${t.address.split('.').at(-1)}`;
            if (t.kind !== 'icmp' && how === 'late') seen.get(to)!.push({ address: `10.0.0.${name.slice(1)}`, proto: t.kind, port: t.port, from: t.kind === 'udp' ? name : '-' });
            return Promise.resolve({ how, us: 250, errno: 0 });
          }));
        },
      },
    },
  }])); // prettier-ignore
  const pairs = names.flatMap((from) =>
    names.filter((to) => to !== from).map((to): Pair => ({ from: nodeOf(from), to: nodeOf(to), ports: [port('tcp', 6443), port('udp', 8472)] })),
  );
  return { at: { ready, why: new Map() }, pairs, asked };
}
const brief = async (network: Network, held?: readonly string[]): Promise<Record<string, string>> => {
  const { at, pairs } = fleet(network, held);
  const cells = await cellsOf(pairs, at, true);
  return Object.fromEntries(cells.map((c) => [`${c.from}${c.to}`, [...c.ports.map((p) => p.result), c.mtu.path, c.rttUs].join(' ')]));
};

test('all well: two questions a machine for ports and line, one for the size', async () => {
  const { at, pairs, asked } = fleet(() => 'ok');
  const cells = await cellsOf(pairs, at, false);
  expect(cells.every((c) => c.ports.every((p) => p.result === 'open') && c.mtu.path === 1500 && c.rttUs === 250)).toBe(true);
  expect(asked.filter((a) => a.from === 'n1').map((a) => a.tries)).toEqual([4, 0, 10, 2].filter((n) => n > 0));
});
test('a packet that is lost once is tried again before anybody is refused', async () => {
  const lost = new Set<string>();
  const once: Network = (from, t) => {
    const key = `${from} ${t.address} ${t.kind} ${t.port}`;
    return t.size === undefined && !lost.has(key) && lost.add(key) ? 'late' : 'ok';
  };
  expect(Object.values(await brief(once))).toEqual(Array(6).fill('open open 1500 250'));
});
test('dropped by the firewall of the target; then ping says size and round trip', async () => {
  const found = await brief((_from, t) => (t.kind === 'udp' && t.address === '10.0.0.1' ? 'late' : 'ok'));
  expect([found.n2n1, found.n3n1, found.n1n2]).toEqual(['open dropped 1500 250', 'open dropped 1500 250', 'open open 1500 250']);
});
test('a narrow path is found to the byte', async () => {
  const found = await brief((_from, t) => (t.address === '10.0.0.2' && (t.size ?? 0) > 1403 ? 'late' : 'ok'));
  expect([found.n1n2, found.n2n1]).toEqual(['open open 1403 250', 'open open 1500 250']);
});
test('a machine that goes away in the middle is not known, and the others are', async () => {
  const { at, pairs } = fleet((from) => (from === 'n3' ? 'dies' : 'ok'));
  const cells = await cellsOf(pairs, at, true);
  expect(at.why.get('n3')).toBe('the connection ended');
  expect(cells.filter((c) => c.from !== 'n3' && c.to !== 'n3').map((c) => c.ports.map((p) => p.result))).toEqual([['open', 'open'], ['open', 'open']]); // prettier-ignore
  expect(cells.filter((c) => c.from === 'n3' || c.to === 'n3').every((c) => c.ports.every((p) => p.result === 'unknown' && p.why.includes('the connection ended')))).toBe(true); // prettier-ignore
});
test('a port that a vxlan device holds: it arrives', async () => {
  expect((await brief((_f, t) => (t.kind === 'udp' && t.address === '10.0.0.1' ? 'late' : 'ok'), ['n1 8472'])).n2n1).toBe('open arrives 1500 250');
});

test('bandwidth: one by one for a few machines; of many, each in one pair each way at a time', () => {
  const cellsOfNames = (all: readonly string[]) => all.flatMap((from) => all.filter((to) => to !== from).map((to) => ({ from, to }) as Parameters<typeof roundsOf>[0][number])); // prettier-ignore
  expect(roundsOf(cellsOfNames(names), names).every((r) => r.length === 1)).toBe(true);
  const many = Array.from({ length: 9 }, (_, i) => `n${i}`);
  const rounds = roundsOf(cellsOfNames(many), many);
  expect(rounds).toHaveLength(8);
  for (const r of rounds) expect([new Set(r.map((c) => c.from)).size, new Set(r.map((c) => c.to)).size]).toEqual([r.length, r.length]);
});
