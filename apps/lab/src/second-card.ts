import { LabFailure } from './failure';
import { leaderOf, writeFiles } from './machine';
import { closeForwarding, openForwarding } from './forwarding';
import { linkExists, removeLink } from './network';
import { secondCard, secondLink, secondNetwork, secondRange } from './plan/address-plan';
import { secondGuard } from './plan/nft-text';
import { secondCardFile } from './plan/node-files';
import { run, tryRun } from './programs';
import type { NodePaths } from './settings';
import type { LabState, NodeState } from './state';

/** Brings up the bridge of a lab's second cards, and its guard; changes nothing that is there already. */
export async function openSecondNetwork(slot: number): Promise<void> {
  const { bridge, hostAddress } = secondNetwork(slot);
  if (!linkExists(bridge)) await run('ip', ['link', 'add', bridge, 'type', 'bridge']);
  // nothing of this range ever leaves this machine, also when the bridge is gone
  await run('ip', ['route', 'replace', 'unreachable', secondRange, 'metric', '4242']);
  await run('ip', ['address', 'replace', `${hostAddress}/24`, 'dev', bridge]);
  await run('ip', ['link', 'set', bridge, 'up']);
  await run('nft', ['-f', '-'], { input: secondGuard(secondNetwork(slot)) });
  await openForwarding(bridge);
}

/** Removes the bridge and the guard of a slot's second cards. The unreachable route stays on purpose. */
export async function closeSecondNetwork(slot: number): Promise<void> {
  const { bridge } = secondNetwork(slot);
  if (!linkExists(bridge)) return;
  await closeForwarding(bridge);
  await run('ip', ['link', 'delete', bridge]);
  await tryRun('nft', ['delete', 'table', 'ip', `strata_${bridge}`]);
}

/** Plugs a node's second card in, where it has one and it is not there: after each boot the card is new. */
export async function plugSecondCard(lab: LabState, node: NodeState, paths: NodePaths): Promise<void> {
  const leader = leaderOf(paths);
  if (!node.second) return;
  if (!leader) throw new LabFailure(`${node.name} is off`, { remedy: `start it: strata lab on ${node.name} --name ${lab.name}` });
  const link = secondLink(lab.slot, node.name);
  const inside = ['nsenter', '-t', String(leader), '-n'] as const;
  if ((await tryRun(inside[0], [...inside.slice(1), 'ip', 'link', 'show', secondCard])).code === 0) return;
  await removeLink(link);
  const mtu = String(node.second.mtu);
  await run('ip', ['link', 'add', link, 'mtu', mtu, 'type', 'veth', 'peer', 'name', secondCard, 'mtu', mtu, 'netns', String(leader)]);
  await run('ip', ['link', 'set', link, 'master', secondNetwork(lab.slot).bridge, 'up']);
}

/** Writes the file that gives a second card its address at every boot: an address and nothing else, the default route stays where it was. */
export const writeSecondCard = (root: string, second: NonNullable<NodeState['second']>): void => writeFiles(root, [secondCardFile(second.address)]);
