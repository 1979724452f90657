import { overlap } from './cidr';
import { tunnelAddress, tunnelHub, tunnelName } from './tunnel';

const cidr = '10.250.0.0/16';

it('gives each node an address of its own by its name, inside the range, and never that of the control plane', () => {
  const names = Array.from({ length: 200 }, (_, i) => `n${i}`);
  const all = names.map((n) => tunnelAddress(cidr, n));
  expect(new Set([...all, tunnelHub(cidr)]).size).toBe(201);
  expect(all.every((a) => overlap(a, cidr) && a !== '10.250.0.0' && a !== '10.250.255.255')).toBe(true);
  expect(tunnelAddress(cidr, 'n3')).toBe(tunnelAddress(cidr, 'n3'));
  expect(tunnelHub(cidr)).toBe('10.250.0.1');
});
it('gives names that a certificate can hold, and tells long ones apart', () => {
  expect(tunnelName('home', 'n3')).toBe('home.n3');
  const long = ['a', 'b'].map((end) => tunnelName('home', `${'n'.repeat(62)}${end}`));
  expect(long.every((n) => n.length === 64)).toBe(true);
  expect(long[0]).not.toBe(long[1]);
});
