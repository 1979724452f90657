import { bareFacts } from '@strata/tasks/testing';
import { digestOf, ownAddresses } from './facts-watch';

const nic = (address: string) => [{ address, netmask: '255.255.255.0', family: 'IPv4' as const, mac: '', internal: false, cidr: `${address}/24` }];

test('pods that come and go do not change what this machine is; another address of its own does', () => {
  const before = bareFacts('n1', '10.0.0.11');
  const pod = { ...before.addresses[0]!, interface: 'veth1234' };
  expect(digestOf({ ...before, addresses: [...before.addresses, pod], mtu: { ...before.mtu, veth1234: 1450 } })).toBe(digestOf(before));
  expect(digestOf({ ...before, addresses: [...before.addresses, { ...pod, interface: 'eth9' }] })).not.toBe(digestOf(before));
});
test('a look at the interfaces costs nothing while only the pod network moves', () => {
  const own = { eth0: nic('10.0.0.11') };
  expect(ownAddresses({ ...own, veth1: nic('10.244.0.2'), cni0: nic('10.244.0.1'), 'flannel.1': nic('10.244.0.0') })).toBe(ownAddresses(own));
  expect(ownAddresses({ eth0: nic('10.0.0.12') })).not.toBe(ownAddresses(own));
});
