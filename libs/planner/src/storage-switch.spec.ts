import { type Plan, sharedStorage } from '@strata/model';
import { plan } from './index';
import { intentOf, nodesOf, requestOf, specOf } from './testing/fixtures';

const enrolled = new Map(['n1', 'n2', 'n3'].map((name) => [name, `id-${name}`]));
const specWith = (storage: object) => specOf({ nodes: nodesOf(3), storage: { kind: 'juicefs', ...storage } });
const spec = specWith({ metadata: { node: 'n2', replica: 'n3' } });
const stepOf = (made: Plan, key: string): Plan['steps'][number] => made.steps.find((s) => s.key === key) as Plan['steps'][number];
const keysOf = (made: Plan, node: string): string[] => made.steps.filter((s) => s.node === node).map((s) => s.key.slice(3));
const made = (kind: 'install' | 'drill-storage' | 'failover-storage' | 'restore-storage', more: object = {}, of = spec): Plan =>
  plan(requestOf(of, { intent: intentOf(kind), enrolled, ...more }));
const peerOf = (of: Plan, node: string): unknown => (stepOf(of, `${node}/metadata.redis`).input as { peer?: unknown }).peer;

describe('an install with a replica', () => {
  it('runs the metadata on both, each knowing the other, with dumps, ports and a package on both', () => {
    const install = made('install');
    expect([peerOf(install, 'n2'), peerOf(install, 'n3')]).toMatchObject([
      { role: 'primary', address: '10.0.0.13' },
      { role: 'replica', address: '10.0.0.12' },
    ]);
    for (const [node, has] of [
      ['n1', false],
      ['n2', true],
      ['n3', true],
    ] as const) {
      expect(keysOf(install, node).includes('metadata.dumps')).toBe(has);
      expect(JSON.stringify(stepOf(install, `${node}/firewall.open`).input).includes('6390')).toBe(has);
      expect(JSON.stringify(stepOf(install, `${node}/packages.install`).input).includes('redis-tools')).toBe(has);
    }
    expect(keysOf(install, 'n3').filter((k) => k === 'storage.format')).toEqual([]);
  });
  it('puts older metadata of the replica out of use before its names lead anywhere', () => {
    const keys = keysOf(made('install'), 'n3');
    expect(keys.indexOf('metadata.stepdown')).toBeLessThan(keys.indexOf('hosts.block'));
    expect(keysOf(made('install'), 'n2')).not.toContain('metadata.stepdown');
  });
  it('goes on while the replica is away, which keeps its address', () => {
    expect(peerOf(made('install', { absent: ['n3'] }), 'n2')).toMatchObject({ role: 'primary', address: '10.0.0.13' });
  });
  it('lets the replica leave, and the primary only after a drill', () => {
    const without = (name: string): Plan => plan(requestOf(spec, { intent: intentOf('remove-node', [name]), enrolled }));
    expect(peerOf(without('n3'), 'n2')).toBeUndefined();
    expect(() => without('n2')).toThrow(/n2 holds the metadata/);
  });
});

describe('a drill', () => {
  it('leads all names to the replica after it has the lead, and unmounts nobody', () => {
    const drill = made('drill-storage');
    expect(stepOf(drill, 'n3/metadata.lead').needs).toEqual(['n2/metadata.handover']);
    for (const node of ['n1', 'n2', 'n3']) {
      expect(stepOf(drill, `${node}/hosts.block`).needs).toEqual(['n3/metadata.lead']);
      expect(JSON.stringify(stepOf(drill, `${node}/hosts.block`).input)).toMatch(/"address":"10\.0\.0\.13","names":\["meta\./);
    }
    expect([stepOf(drill, 'n2/metadata.release').needs, stepOf(drill, 'n3/metadata.release').needs]).toEqual([
      ['n1/hosts.block', 'n2/hosts.block', 'n3/hosts.block'],
      ['n2/metadata.release'],
    ]);
    expect([peerOf(drill, 'n2'), peerOf(drill, 'n3')]).toMatchObject([{ role: 'replica' }, { role: 'primary' }]);
    expect(drill.steps.filter((s) => /^(storage|juicefs)\./.test(s.task))).toEqual([]);
  });
  it.each(['n1', 'n2', 'n3'])('is refused while %s is away', (name) => {
    expect(() => made('drill-storage', { absent: [name] })).toThrow(/cannot be reached/);
  });
  it('is refused without a replica', () => {
    expect(() => made('drill-storage', {}, specWith({}))).toThrow(/the metadata on n1 have no replica/);
    expect(() => made('failover-storage', {}, specOf({ nodes: nodesOf(3) }))).toThrow(/a tree of its own/);
  });
});

describe('a failover', () => {
  it('is a fenced run without the machine of the primary', () => {
    const over = made('failover-storage', { absent: ['n2'] });
    for (const node of ['n1', 'n3']) expect(stepOf(over, `${node}/storage.leave`).needs).toContain('n3/metadata.take-over');
    expect(stepOf(over, 'n3/storage.load').needs).toEqual(['n3/metadata.take-over', 'n1/storage.leave', 'n3/storage.leave']);
    expect(stepOf(over, 'n1/juicefs.mount').needs).toEqual(expect.arrayContaining(['n1/hosts.block', 'n3/metadata.redis']));
    expect(keysOf(over, 'n2')).toEqual([]);
  });
  it('has the machine of the primary follow where it is there', () => {
    const keys = keysOf(made('failover-storage'), 'n2');
    expect(keys).toEqual(['storage.leave', 'metadata.stepdown', 'hosts.block', 'juicefs.mount', 'view.write', 'view.read', 'metadata.redis']);
  });
  it('goes on without the control plane, by the address that it had', () => {
    const over = made('failover-storage', { absent: ['n1'] }, specWith({ metadata: { node: 'n1', replica: 'n3' }, objects: { node: 'n2' } }));
    expect(JSON.stringify(stepOf(over, 'n2/hosts.block').input)).toMatch(/"address":"10\.0\.0\.11","names":\["api\./);
    expect(sharedStorage(spec.spec)?.metadata.node).toBe('n2');
  });
  it('is refused while another node is away, and where the objects are lost as well', () => {
    expect(() => made('failover-storage', { absent: ['n2', 'n1'] })).toThrow();
    expect(() => made('failover-storage', { absent: ['n1'] }, specWith({ metadata: { replica: 'n3' } }))).toThrow(/a part of the shared file system runs there/);
    expect(() => made('failover-storage', { absent: ['n2', 'n3'] })).toThrow(/n3 cannot be reached, and the replica is there/);
  });
}); // prettier-ignore
