import { dropsForwarded } from './forwarding';

it.each([
  ['-P FORWARD ACCEPT\n', false],
  ['-P FORWARD DROP\n-A FORWARD -j DOCKER-USER\n', true],
  ['-P FORWARD ACCEPT\n-A FORWARD -i docker0 -j ACCEPT\n-A FORWARD -j REJECT --reject-with icmp-host-prohibited\n', true],
  ['-P FORWARD ACCEPT\n-A FORWARD -i eth1 -j DROP\n', false],
  ['', false],
])('%j drops forwarded traffic: %s', (rules, drops) => expect(dropsForwarded(rules)).toBe(drops));
