import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { LabFailure } from './failure';
import { closeForwarding, openForwarding } from './forwarding';
import { labNetwork, labRange, linkName, freeSlot, type LabNetwork } from './plan/address-plan';
import { faultTable, natTable } from './plan/nft-text';
import { run, tryRun } from './programs';
import type { LabState } from './state';

/** Whether this machine has a network link of that name. */
export const linkExists = (link: string): boolean => existsSync(`/sys/class/net/${link}`);

/** Addresses of resolvers that nodes can reach: this machine's, without loopback ones. */
export function nameservers(): string[] {
  for (const file of ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf']) {
    const found = existsSync(file) ? [...readFileSync(file, 'utf8').matchAll(/^nameserver\s+(\d+\.\d+\.\d+\.\d+)/gm)].map((m) => m[1] ?? '') : [];
    const usable = found.filter((address) => !address.startsWith('127.'));
    if (usable.length) return usable.slice(0, 3);
  }
  return [];
}

/** Raises a kernel setting to at least `value`; it stays after the lab, others may rely on it. */
function raise(key: string, value: number): void {
  const file = `/proc/sys/${key.replaceAll('.', '/')}`;
  if (Number(readFileSync(file, 'utf8')) >= value) return;
  try {
    writeFileSync(file, String(value));
  } catch (cause) {
    throw new LabFailure(`the kernel setting ${key} could not be raised to ${value}`, { remedy: `set it where you may: sysctl -w ${key}=${value}`, cause });
  }
}

/** What a lab's bridge is marked with: so a lab whose state is damaged or gone still finds its network, and no other takes its name. */
const mark = (name: string, dir: string): string => `strata-lab ${name} ${dir}`;

/** Bridges of labs on this machine, whatever became of their state. */
export function markedBridges(): { slot: number; name: string; dir: string }[] {
  return readdirSync('/sys/class/net').flatMap((link) => {
    const slot = /^slab(\d+)$/.exec(link)?.[1];
    const alias = slot && existsSync(`/sys/class/net/${link}/ifalias`) ? readFileSync(`/sys/class/net/${link}/ifalias`, 'utf8').trim() : '';
    const [, name, dir] = /^strata-lab (\S+) (.*)$/.exec(alias) ?? [];
    return name && dir ? [{ slot: Number(slot), name, dir }] : [];
  });
}

/**
 * Claims a free slot by making its bridge; the caller holds the lock of states.
 * @param lab name of the lab and the folder of its state
 * @param taken slots of labs that have a state
 * @throws LabFailure when a lab of this name lives with its state elsewhere: their nodes would share cgroups
 */
export async function claimNetwork(lab: { name: string; dir: string }, taken: readonly number[]): Promise<number> {
  const same = markedBridges().find((b) => b.name === lab.name);
  if (same?.dir === lab.dir) return same.slot; // left by an `up` that was broken off
  if (same) {
    throw new LabFailure(`a lab named ${lab.name} runs already, with its state in ${same.dir}`, {
      remedy: `choose another --name, or remove that one: STRATA_LAB_DIR=${dirname(same.dir)} strata lab down --name ${lab.name}`,
      exitCode: 2,
    });
  }
  const text = await run('ip', ['-4', '-o', 'route', 'show', 'table', 'all']);
  const routes = text
    .split('\n')
    .filter((line) => !/^(unreachable|broadcast|local|default)/.test(line))
    .map((line) => line.split(' ')[0] ?? '')
    .filter((destination) => /^\d+\.\d+\.\d+\.\d+(\/\d+)?$/.test(destination));
  const busy = [...taken, ...Array.from({ length: 256 }, (_, slot) => slot).filter((slot) => linkExists(labNetwork(slot).bridge))];
  for (;;) {
    const slot = freeSlot(busy, routes);
    const { bridge } = labNetwork(slot);
    const made = await tryRun('ip', ['link', 'add', bridge, 'type', 'bridge']);
    if (made.code !== 0 && !linkExists(bridge)) {
      throw new LabFailure(`the network bridge ${bridge} could not be made`, {
        remedy: 'this kernel or container must allow bridges (CONFIG_BRIDGE, CAP_NET_ADMIN)',
        cause: new Error(made.stderr.trim()),
      });
    }
    if (made.code === 0) {
      await run('ip', ['link', 'set', bridge, 'alias', mark(lab.name, lab.dir)]);
      return slot;
    }
    busy.push(slot);
  }
}

/** Brings up bridge, NAT and guard of a lab; changes nothing that is there already. */
export async function openNetwork(lab: { name: string; dir: string; outside: boolean }, slot: number): Promise<LabNetwork> {
  const network = labNetwork(slot);
  if (!linkExists(network.bridge)) await run('ip', ['link', 'add', network.bridge, 'type', 'bridge']);
  await run('ip', ['link', 'set', network.bridge, 'alias', mark(lab.name, lab.dir)]);
  await run('ip', ['address', 'replace', `${network.hostAddress}/24`, 'dev', network.bridge]);
  await run('ip', ['link', 'set', network.bridge, 'up']);
  raise('net.ipv4.ip_forward', 1);
  raise('fs.inotify.max_user_instances', 8192); // 128 by default, shared by root of ALL nodes
  raise('fs.inotify.max_user_watches', 524288);
  // nothing of the lab's range ever leaves this machine, also when the bridge is gone
  await run('ip', ['route', 'replace', 'unreachable', labRange, 'metric', '4242']);
  await applyNat(network, lab.outside);
  await openForwarding(network.bridge);
  return network;
}

/** Opens or cuts the nodes' way out of their own network. */
export const applyNat = async (network: LabNetwork, outside: boolean): Promise<void> =>
  void (await run('nft', ['-f', '-'], { input: natTable(network, [...nameservers(), ...proxyAddresses()], outside) }));

/** Proxies given as addresses: nodes must reach them although they may be private. */
const proxyAddresses = (): string[] =>
  ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY'].flatMap((name) => /\/\/(?:[^@/]*@)?(\d+\.\d+\.\d+\.\d+)/.exec(process.env[name] ?? '')?.[1] ?? []);

/** Removes bridge, NAT and faults of a slot. The unreachable route stays on purpose. */
export async function closeNetwork(slot: number): Promise<void> {
  const { bridge, table } = labNetwork(slot);
  await closeForwarding(bridge);
  if (linkExists(bridge)) await run('ip', ['link', 'delete', bridge]);
  for (const family of ['ip', 'bridge']) await tryRun('nft', ['delete', 'table', family, table]);
}

/** Brings cuts and losses of a whole lab in line with its state. */
export async function applyFaultTable(lab: LabState): Promise<void> {
  const linkOf = (node: string): string => linkName(lab.slot, node);
  const faults = lab.nodes.map((n) => ({ link: linkOf(n.name), cutFrom: n.faults.cutFrom, loss: n.faults.loss }));
  await run('nft', ['-f', '-'], { input: faultTable(labNetwork(lab.slot), faults, linkOf) });
}

/**
 * Brings a running node's bandwidth in line with its state: a token bucket on both ends of its link.
 * @param leader pid of the node's systemd
 */
export async function applyRate(link: string, leader: number, rateKbit: number | undefined): Promise<void> {
  const inside = ['nsenter', '-t', String(leader), '-n'];
  const ends: [string[], string][] = [
    [[], link],
    [inside, 'host0'],
  ];
  for (const [prefix, device] of ends) {
    const change = rateKbit
      ? ['replace', 'dev', device, 'root', 'tbf', 'rate', `${rateKbit}kbit`, 'burst', '32k', 'latency', '400ms']
      : ['del', 'dev', device, 'root'];
    const [program = 'tc', ...args] = [...prefix, 'tc', 'qdisc', ...change];
    if (rateKbit) await run(program, args);
    else await tryRun(program, args); // nothing to remove is fine
  }
}

/** Removes a link that a killed nspawn left behind. */
export async function removeLink(link: string): Promise<void> {
  if (linkExists(link)) await tryRun('ip', ['link', 'delete', link]);
}
