import {
  checkNewAddress,
  freeSlot,
  labNetwork,
  linkName,
  natAddress,
  natNetwork,
  nodeAddress,
  overlaps,
  secondAddress,
  secondLink,
  secondNetwork,
} from './address-plan';

describe('networks of labs', () => {
  it('numbers host and nodes', () => {
    expect(labNetwork(3)).toEqual({ slot: 3, bridge: 'slab3', subnet: '10.78.3.0/24', hostAddress: '10.78.3.1', table: 'strata_lab_3' });
    expect([1, 2, 200].map((n) => nodeAddress(3, n))).toEqual(['10.78.3.11', '10.78.3.12', '10.78.3.210']);
  });

  it('gives a second card the same place in another network', () => {
    expect(secondNetwork(3)).toEqual({ bridge: 'slab3b', subnet: '10.79.3.0/24', hostAddress: '10.79.3.1' });
    expect(secondAddress(3, nodeAddress(3, 2))).toBe('10.79.3.12');
    expect(natAddress(3, nodeAddress(3, 2))).toBe('10.80.3.12');
  });

  it('keeps link names within the 15 characters of the kernel', () => {
    for (const name of [linkName(255, 'n200'), secondLink(255, 'n200'), secondNetwork(255).bridge, natNetwork(255).bridge, natNetwork(255).links.inside])
      expect(name.length).toBeLessThanOrEqual(15);
  });

  it('takes the first slot that neither a lab nor a route of the machine has', () => {
    expect(freeSlot([], [])).toBe(0);
    expect(freeSlot([0, 2], ['192.168.1.0/24'])).toBe(1);
    expect(freeSlot([0], ['10.78.1.128/25', '10.77.0.0/24'])).toBe(2);
    expect(freeSlot([], ['10.78.0.0/17'])).toBe(128);
    expect(freeSlot([], ['10.79.0.0/24'])).toBe(1); // second cards need their network too
    expect(() => freeSlot([], ['10.0.0.0/8'])).toThrow(/no free network/);
  });

  it.each([
    ['10.0.0.0/8', '10.78.0.0/24', true],
    ['10.78.1.0/24', '10.78.0.0/24', false],
    ['0.0.0.0/0', '10.78.0.0/24', true],
    ['10.78.0.7', '10.78.0.0/24', true],
    ['255.255.255.255', '10.78.0.0/24', false],
  ])('%s and %s share an address: %s', (a, b, expected) => expect(overlaps(a, b)).toBe(expected));
});

describe('a new address', () => {
  it('is accepted when free and inside', () => expect(() => checkNewAddress(1, '10.78.1.99', ['10.78.1.11'])).not.toThrow());

  it.each([
    ['10.78.2.99', /outside/],
    ['10.78.1.1', /control host/],
    ['10.78.1.255', /broadcast/],
    ['10.78.1.11', /another node/],
    ['10.78.1.999', /not an IPv4/],
    ['n3', /not an IPv4/],
  ])('%s is refused', (address, why) => expect(() => checkNewAddress(1, address, ['10.78.1.11'])).toThrow(why));
});
