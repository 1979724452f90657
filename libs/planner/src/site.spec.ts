import { addressesFor, freeRanges } from './site';
import { bareMetal } from './testing';

const route = (destination: string, name = 'eth0'): { destination: string; gateway: null; interface: string; metric: number } => ({
  destination,
  gateway: null,
  interface: name,
  metric: 0,
});

test('the usual ranges where nothing is in the way', () => {
  expect(freeRanges([bareMetal('192.168.1.5')])).toEqual({ podCidr: '10.244.0.0/16', serviceCidr: '10.96.0.0/12' });
});
test('a range that any machine has a route, an address or a name server in is not taken', () => {
  const corporate = bareMetal('10.44.1.5', { routes: [route('default'), route('10.0.0.0/8')] });
  expect(freeRanges([bareMetal('192.168.1.5'), corporate])).toEqual({ podCidr: '172.28.0.0/16', serviceCidr: '172.29.0.0/16' });
  expect(freeRanges([bareMetal('10.96.3.4'), bareMetal('10.244.0.9')])).toEqual({ podCidr: '10.42.0.0/16', serviceCidr: '10.43.0.0/16' });
  const dns = bareMetal('192.168.1.5', { dns: { servers: ['172.28.0.53'], search: [], managedBy: 'file', target: null }, routes: [route('10.0.0.0/8')] });
  expect(freeRanges([dns])?.podCidr).toBe('172.20.0.0/16');
});
test("an old cluster's own pod network is not in the way, and a machine with a route to everything leaves none", () => {
  expect(freeRanges([bareMetal('192.168.1.5', { routes: [route('10.244.1.0/24', 'cni0')] })])?.podCidr).toBe('10.244.0.0/16');
  expect(freeRanges([bareMetal('192.168.1.5', { routes: [route('0.0.0.0/1'), route('128.0.0.0/1')] })])).toBeNull();
});
test('the address it was reached by comes first, then that of the default route; none of containers', () => {
  const addresses = ['10.0.0.5', '192.168.7.5', '172.17.0.1'].map((address, i) => ({
    interface: ['eth0', 'eth1', 'docker0'][i] ?? '',
    address,
    prefix: 24,
    mac: '',
  }));
  const two = bareMetal('10.0.0.5', { addresses, routes: [route('default', 'eth1')] });
  expect(addressesFor(two, '10.0.0.5').map((a) => a.address)).toEqual(['10.0.0.5', '192.168.7.5']);
  expect(addressesFor(two, 'box.example').map((a) => a.address)).toEqual(['192.168.7.5', '10.0.0.5']);
});
