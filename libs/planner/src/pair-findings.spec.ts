import type { ClusterSpec, Facts, Finding, PairCell, PairMatrix, Probed } from '@strata/model';
import { judgePairs } from './pair-findings';
import { pairPlan } from './pair-plan';
import { bareMetal, factsOf, nodesOf, specOf } from './testing/fixtures';

const spec = specOf({ nodes: nodesOf(3) });
const facts = factsOf(spec);

/** A matrix where all is well, but for what `change` says of a pair. */
function matrixOf(change: (cell: PairCell) => Partial<PairCell>, of: { spec?: ClusterSpec; full?: boolean } = {}): PairMatrix {
  const plan = pairPlan(of.spec ?? spec, { facts, full: of.full ?? false });
  const pairs = plan.pairs.map((p): PairCell => {
    const cell: PairCell = {
      ...{ from: p.from.name, to: p.to.name, rttUs: 300, lossPercent: 0, mbit: 900, severity: null, remedies: [] },
      ports: p.ports.map(({ proto, port, needed }) => ({ proto, port, needed, result: 'open', why: '' })),
      mtu: { path: 1500, link: 1500, told: false },
    };
    return { ...cell, ...change(cell) };
  });
  const nodes = plan.nodes.map((n) => ({
    name: n.name,
    role: n.role,
    address: n.address,
    system: n.system,
    probe: 'perl' as const,
    why: '',
    taken: [],
    disk: null,
  }));
  return { full: false, tookMs: 1, ports: plan.ports.map(({ proto, port, what }) => ({ proto, port, what })), nodes, pairs };
}
const stop = (port: number, result: Probed, when: (c: PairCell) => boolean = () => true) => (c: PairCell): Partial<PairCell> =>
  when(c) ? { ports: c.ports.map((p) => (p.port === port ? { ...p, result, why: 'because' } : p)) } : {}; // prettier-ignore
const judged = (m: PairMatrix, world: { spec?: ClusterSpec; facts?: ReadonlyMap<string, Facts> } = {}): ReturnType<typeof judgePairs> =>
  judgePairs(m, { spec: world.spec ?? spec, facts: world.facts ?? facts, sniffs: new Set(['n1', 'n2', 'n3']) });
const brief = (found: readonly Finding[]): string[] => found.map((f) => `${f.severity} ${f.code} ${f.node ?? ''}`);
const dropping = new Map([...facts, ['n1', bareMetal('10.0.0.11', { firewall: { tools: ['ufw'], dropsInput: true, dropsForward: true } })]]);

test('all is well: nothing is said', () => {
  expect(judged(matrixOf(() => ({}))).findings).toEqual([]);
});

describe('a port that does not get through', () => {
  test('one finding for one machine, naming port, both sides and what to do; and at each pair', () => {
    const { findings, matrix } = judged(matrixOf(stop(8472, 'dropped', (c) => c.to === 'n1')));
    expect(findings).toHaveLength(1);
    expect(findings[0]!.message).toBe('UDP 8472, the pod network (vxlan), does not get from n2, n3 to n1: because');
    expect(brief(findings)).toEqual(['blocker pairs.blocked n1']);
    expect(matrix.pairs.filter((c) => c.severity !== null).map((c) => `${c.from}${c.to}`)).toEqual(['n2n1', 'n3n1']);
    expect(matrix.pairs.find((c) => c.from === 'n2' && c.to === 'n1')!.remedies).toEqual([findings[0]!.remedy]);
  });
  test('a firewall that Strata opens at install refuses nothing', () => {
    const all = matrixOf((c) => (c.to === 'n1' ? { ports: c.ports.map((p) => ({ ...p, result: 'dropped', why: 'because' })) } : {}));
    expect(brief(judged(all).findings)).toEqual(['warning pairs.blocked n1', 'warning pairs.blocked n1', 'warning pairs.blocked n1']);
    const one = judged(matrixOf(stop(8472, 'dropped', (c) => c.to === 'n1')), { facts: dropping }).findings;
    expect(brief(one)).toEqual(['warning pairs.blocked n1']);
    expect(one[0]!.remedy).toMatch(/nothing to do if Strata is to open it.*ufw allow 8472\/udp/);
  });
  test('left alone by the spec, or between the machines: it stops an install', () => {
    const alone = specOf({ nodes: nodesOf(3), native: { ...spec.spec.native, firewall: 'ignore' } });
    expect(brief(judged(matrixOf(stop(8472, 'dropped', (c) => c.to === 'n1')), { spec: alone, facts: dropping }).findings)).toEqual([
      'blocker pairs.blocked n1',
    ]);
    expect(brief(judged(matrixOf(stop(8472, 'lost', (c) => c.to === 'n1')), { facts: dropping }).findings)).toEqual(['blocker pairs.blocked n1']);
    expect(brief(judged(matrixOf(stop(6443, 'unsent', (c) => c.from === 'n3'))).findings)).toEqual(['blocker pairs.blocked n3']);
  });
  test('what the roles do not need is told, no more; what is only wanted is a warning; what could not be tried is nothing', () => {
    expect(
      brief(
        judged(
          matrixOf(
            stop(6443, 'lost', (c) => c.to === 'n2'),
            { full: true },
          ),
        ).findings,
      ),
    ).toEqual(['info pairs.blocked n2']);
    expect(brief(judged(matrixOf(stop(10250, 'lost', (c) => c.from === 'n2' && c.to === 'n3'))).findings)).toEqual(['warning pairs.blocked n3']);
    expect(judged(matrixOf(stop(8472, 'unknown'))).findings).toEqual([]);
    expect(judged(matrixOf(stop(8472, 'arrives'))).findings).toEqual([]);
  });
  test('nothing at all gets through: one finding, not one for each port', () => {
    const { findings } = judged(matrixOf((c) => (c.from === 'n2' && c.to === 'n3' ? { rttUs: null, mtu: { path: null, link: 1500, told: false }, ports: c.ports.map((p) => ({ ...p, result: 'lost', why: 'x' })) } : {}))); // prettier-ignore
    expect(brief(findings)).toEqual(['blocker pairs.unreachable n2']);
    expect(findings[0]!.message).toContain('nothing from n2 reaches n3 (10.0.0.13)');
    expect(findings[0]!.remedy).toContain('n3 reaches n2, but not the other way round: if it can only dial out');
  });
  test('neither reaches the other: nothing is said of a NAT', () => {
    const cut = { rttUs: null, mtu: { path: null, link: 1500, told: false } } as const;
    const { findings } = judged(matrixOf((c) => (c.from !== 'n1' && c.to !== 'n1' ? { ...cut, ports: c.ports.map((p) => ({ ...p, result: 'lost', why: 'x' })) } : {}))); // prettier-ignore
    expect(brief(findings)).toEqual(['blocker pairs.unreachable n2', 'blocker pairs.unreachable n3']);
    expect(findings[0]!.remedy).toMatch(/^check the addresses/);
  });
});

describe('the line', () => {
  const narrow = (path: number, told: boolean) => (c: PairCell): Partial<PairCell> => (c.from === 'n2' || c.to === 'n2' ? { mtu: { path: c.to === 'n2' ? path : path + 4, link: 1500, told } } : {}); // prettier-ignore
  test('a narrow path of one machine is told once, with the smallest size', () => {
    const { findings, matrix } = judged(matrixOf(narrow(1400, false)));
    expect(brief(findings)).toEqual(['blocker pairs.mtu n2']);
    expect(findings[0]!.message).toMatch(
      /more than 1,400 bytes do not get through from n1, n3 to n2, nor from n2 to n1, n3, though the interface lets 1,500 out/,
    );
    expect(matrix.pairs.filter((c) => c.severity === 'blocker')).toHaveLength(4);
  });
  test('one that the network tells of is borne', () => {
    expect(brief(judged(matrixOf(narrow(1400, true))).findings)).toEqual(['warning pairs.mtu n2']);
  });
  test.each<[Partial<PairCell>, string]>([
    [{ lossPercent: 15 }, 'warning pairs.loss n2'],
    [{ mbit: 1.5 }, 'warning pairs.slow n2'],
    [{ rttUs: 180_000 }, 'warning pairs.far n2'],
  ])('%j', (change, says) => {
    expect(brief(judged(matrixOf((c) => (c.from === 'n2' && c.to === 'n3' ? change : {}))).findings)).toEqual([says]);
  });
});

describe('machines', () => {
  const disk = (p99Us: number) => ({ path: '/var/lib/etcd', writes: 100, p50Us: 400, p99Us, maxUs: p99Us });
  const withDisk = (p99Us: number): PairMatrix => {
    const m = matrixOf(() => ({}));
    return { ...m, nodes: m.nodes.map((n) => ({ ...n, disk: disk(p99Us) })) };
  };
  test('a slow disk is named with its figure: where etcd writes at 10 ms, elsewhere at 100', () => {
    expect(judged(withDisk(9_999)).findings).toEqual([]);
    const { findings } = judged(withDisk(37_400));
    expect(brief(findings)).toEqual(['warning disk.slow n1']);
    expect(findings[0]!.message).toContain(
      'a small write under /var/lib/etcd takes 37 ms to be safe on disk (99th percentile of 100; median 0.4 ms); etcd wants less than 10 ms',
    );
    expect(brief(judged(withDisk(140_000)).findings)).toEqual(['warning disk.slow n1', 'warning disk.slow n2', 'warning disk.slow n3']);
  });
  test('a machine that could not be tried says why', () => {
    const m = matrixOf(() => ({}));
    const { findings } = judged({ ...m, nodes: m.nodes.map((n) => (n.name === 'n3' ? { ...n, probe: null, why: 'it has neither Perl nor Python' } : n)) });
    expect(brief(findings)).toEqual(['warning pairs.unknown n3']);
    expect(findings[0]!.message).toContain('neither Perl nor Python');
  });
});

test('what is tried follows roles and backend', () => {
  const ports = (of: ClusterSpec, full: boolean): string[] =>
    pairPlan(of, { facts, full }).pairs.map((p) => `${p.from.name} ${p.to.name}: ${p.ports.map((q) => `${q.port}${q.needed ? '!' : ''}`).join(' ')}`);
  expect(ports(spec, false)).toEqual(expect.arrayContaining(['n2 n1: 6443! 10250! 8472!', 'n1 n2: 10250! 8472!']));
  expect(ports(spec, true)).toContain('n1 n2: 6443 2379 2380 10250! 8472!');
  const shared = specOf({ nodes: nodesOf(3), storage: { kind: 'juicefs', metadata: { node: 'n2' }, objects: { kind: 'minio', node: 'n3' } } });
  expect(ports(shared, false)).toEqual(expect.arrayContaining(['n1 n2: 10250! 8472! 6390!', 'n1 n3: 10250! 8472! 9000!', 'n2 n1: 6443! 10250! 8472!']));
  const gw = specOf({ nodes: nodesOf(3), network: { ...spec.spec.network, backend: 'host-gw' } });
  expect(ports(gw, true)).toContain('n2 n3: 6443 2379 2380 10250!');
});
