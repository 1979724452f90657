import { existsSync } from 'node:fs';
import { linkExists } from './network';
import { labNetwork, natNetwork, natRange } from './plan/address-plan';
import { routerTable } from './plan/nft-text';
import { run, tryRun } from './programs';

/** Brings up the network behind a lab's NAT and the router in front of it; changes nothing that is there already. This machine gets no route to it. */
export async function openNat(slot: number): Promise<void> {
  const { bridge, subnet, routerInside, routerOutside, namespace, links } = natNetwork(slot);
  // nothing of this range ever leaves this machine
  await run('ip', ['route', 'replace', 'unreachable', natRange, 'metric', '4242']);
  if (!linkExists(bridge)) await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
  await run('ip', ['link', 'set', bridge, 'up']);
  if (existsSync(`/run/netns/${namespace}`)) return;
  await run('ip', ['netns', 'add', namespace]);
  const ends = [
    { link: links.inside, into: bridge, name: 'inside', address: routerInside },
    { link: links.outside, into: labNetwork(slot).bridge, name: 'outside', address: routerOutside },
  ];
  const inside = ['netns', 'exec', namespace] as const;
  for (const { link, into, name, address } of ends) {
    if (linkExists(link)) await run('ip', ['link', 'delete', link]);
    await run('ip', ['link', 'add', link, 'type', 'veth', 'peer', 'name', name, 'netns', namespace]);
    await run('ip', ['link', 'set', link, 'master', into, 'up']);
    await run('ip', ['-n', namespace, 'address', 'add', `${address}/24`, 'dev', name]);
    await run('ip', ['-n', namespace, 'link', 'set', name, 'up']);
  }
  await run('ip', ['-n', namespace, 'route', 'add', 'default', 'via', labNetwork(slot).hostAddress]);
  await run('ip', [...inside, 'sysctl', '-q', '-w', 'net.ipv4.ip_forward=1']);
  await run('ip', [...inside, 'nft', '-f', '-'], { input: routerTable(subnet) });
}

/** Removes network and router of a slot. The unreachable route stays on purpose. */
export async function closeNat(slot: number): Promise<void> {
  const { bridge, namespace, links } = natNetwork(slot);
  if (existsSync(`/run/netns/${namespace}`)) await run('ip', ['netns', 'delete', namespace]);
  for (const link of [links.inside, links.outside, bridge]) if (linkExists(link)) await tryRun('ip', ['link', 'delete', link]);
}
