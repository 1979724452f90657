import type { ClusterSpecInput, Plan } from '@strata/model';
import { tunnelAddress } from '@strata/model';
import { plan, PlanRefused } from './index';
import { bareMetal, factsOf, intentOf, nodesOf, requestOf, specOf } from './testing/fixtures';

const cidr = '10.250.0.0/16';
const behind = { name: 'n3', role: 'worker' as const, join: 'token' as const, nat: true };
const spec = (...nodes: ClusterSpecInput['spec']['nodes']): ReturnType<typeof specOf> => specOf({ nodes: [...nodesOf(2), ...nodes] });
const input = (made: Plan, key: string): Record<string, unknown> => made.steps.find((s) => s.key === key)?.input as Record<string, unknown>;

describe('a node behind a NAT', () => {
  const made = plan(requestOf(spec(behind)));
  const own = tunnelAddress(cidr, 'n3');

  it('has its address in the tunnel, for kubelet and everybody who speaks of it', () => {
    expect(input(made, 'n3/kubernetes.config')).toMatchObject({ node: { name: 'n3', address: own } });
    expect(input(made, 'n3/hosts.block')).toMatchObject({ entries: [{ address: '10.0.0.11' }, { address: own }] });
  });
  it('is reached by all: the control plane listens, the others dial it, and each may speak from its own address', () => {
    expect(input(made, 'n1/tunnel.configure')).toMatchObject({
      address: '10.250.0.1',
      end: {
        kind: 'hub',
        listen: '10.0.0.11',
        peers: [
          { name: 'home.n2', own: '10.0.0.12' },
          { name: 'home.n3', address: own },
        ],
      },
    });
    expect(input(made, 'n1/tunnel.configure').end).not.toMatchObject({ peers: [{}, { own: expect.anything() as unknown }] });
    expect(input(made, 'n2/tunnel.configure')).toMatchObject({ end: { kind: 'node', hub: '10.0.0.11', hubName: 'home.n1', answerThrough: false } });
    expect(input(made, 'n3/tunnel.configure')).toMatchObject({ end: { answerThrough: true }, identity: { $secret: 'mint:tunnel-node:n3' } });
  });
  it('needs its program, an open port at the control plane, and kubelets that take what comes through it', () => {
    expect(JSON.stringify(input(made, 'n2/packages.install'))).toContain('openvpn');
    expect(JSON.stringify(input(made, 'n1/firewall.open'))).toContain('{"proto":"tcp","port":7447,"from":[]}');
    expect(JSON.stringify(input(made, 'n3/firewall.open'))).toContain(cidr);
  });
  it('is asked for no address, however many it has, and gets none of this where nobody is behind a NAT', () => {
    const two = bareMetal('192.168.1.4');
    const facts = factsOf(spec(behind)).set('n3', {
      ...two,
      addresses: [...two.addresses, { interface: 'eth1', address: '192.168.7.4', prefix: 24, mac: '' }],
    });
    expect(input(plan(requestOf(spec(behind), { facts })), 'n3/tunnel.configure')).toBeDefined();
    expect(JSON.stringify(plan(requestOf(spec())))).not.toMatch(/openvpn|tunnel/);
  });
  it('is known to the control plane before it came, so that it can be finished when it comes', () => {
    expect(input(plan(requestOf(spec(behind), { absent: ['n3'] })), 'n1/tunnel.configure')).toMatchObject({ end: { peers: [{}, { name: 'home.n3' }] } });
  });
});

describe('nodes that come and go', () => {
  const four = spec(behind, { ...behind, name: 'n4' });
  it('a second one: only the control plane is told', () => {
    const made = plan(requestOf(four, { intent: intentOf('add-node', ['n4']) }));
    expect([...new Set(made.steps.filter((s) => s.node !== null && s.node !== 'n4').map((s) => s.key))]).toEqual(['n1/tunnel.configure']);
  });
  it('the first one: refused, with the way out', () => {
    const make = (): unknown => plan(requestOf(spec(behind), { intent: intentOf('add-node', ['n3']) }));
    expect(make).toThrow(PlanRefused);
    expect(make).toThrow(/first node behind a NAT/);
  });
  it('one that is removed is let in no more, even if it cannot be reached', () => {
    const made = plan(requestOf(four, { absent: ['n4'], intent: intentOf('remove-node', ['n4'], true) }));
    expect(JSON.stringify(input(made, 'n1/tunnel.configure'))).not.toContain('home.n4');
  });
  it('uninstall takes every end back, also where no node is behind a NAT any more', () => {
    const enrolled = new Map([['n1', 'a'], ['n2', 'b']]); // prettier-ignore
    const made = plan(requestOf(spec(), { enrolled, intent: intentOf('uninstall') }));
    expect(made.steps.filter((s) => s.task === 'tunnel.configure').map((s) => [s.node, s.action])).toEqual([['n1', 'undo'], ['n2', 'undo']]); // prettier-ignore
  });
});

it.each([
  ['a control plane behind a NAT', [{ ...behind, name: 'n0', role: 'control-plane' as const }], /cannot be behind a NAT/],
  ['host-gw', [], /needs the backend vxlan/],
])('%s is refused by the spec', (what, extra, says) => {
  const nodes = what === 'host-gw' ? [...nodesOf(1), behind] : extra;
  expect(() => specOf({ nodes, network: what === 'host-gw' ? { backend: 'host-gw' } : {} })).toThrow(says);
});
