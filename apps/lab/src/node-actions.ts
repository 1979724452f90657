import { existsSync, readFileSync, rmSync, writeFileSync, openSync, fsyncSync, closeSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupName, readCgroupTree } from './cgroups';
import { LabFailure } from './failure';
import { applyHardware } from './hardware';
import { killNode, startNode, waitForSsh } from './lab';
import { leaderOf, nspawnOf, supervisorOf, writeFiles } from './machine';
import { openNat } from './nat';
import { applyFaultTable, applyNat, applyRate } from './network';
import { checkNewAddress, labNetwork, linkName, natAddress, natNetwork, secondAddress, secondCard } from './plan/address-plan';
import { enterAndExec } from './plan/boot-plan';
import { planCgroups } from './plan/cgroup-plan';
import { hostsWithAddress, natNetworkFile, networkFile } from './plan/node-files';
import { openSecondNetwork, plugSecondCard, writeSecondCard } from './second-card';
import { run, runAttached, tryRun, waitFor } from './programs';
import { nodePaths, type NodePaths, type Settings } from './settings';
import { changeLab, nodeOf, readLab, withNode, type LabState, type NodeState } from './state';

/** One node of one lab. */
export interface Target {
  readonly settings: Settings;
  readonly name: string;
  readonly node: string;
}
/** What is known of it. */
export interface Found {
  readonly lab: LabState;
  readonly node: NodeState;
  readonly paths: NodePaths;
}
/** @throws LabFailure for a name that no lab or node has */
export const find = ({ settings, name, node }: Target): Found => {
  const lab = readLab(settings, name);
  return { lab, node: nodeOf(lab, node), paths: nodePaths(settings, name, node) };
};

/** How to run a command inside a node: in its cgroups, all its namespaces, without CAP_SYS_TIME (nsenter would carry ours). */
function insideOf({ lab, node, paths }: Found, command: readonly string[]): { program: string; args: string[] } {
  const leader = leaderOf(paths);
  if (!leader) throw new LabFailure(`${node.name} of lab ${lab.name} is not running`, { remedy: `start it: strata lab on ${node.name} --name ${lab.name}` });
  const procs = planCgroups(readCgroupTree(), cgroupName(lab.name, node.name), 1).enterExec.filter((file) => existsSync(file));
  const env = [
    'env',
    '-i',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'HOME=/root',
    `TERM=${process.env['TERM'] ?? 'dumb'}`,
    'LANG=C.UTF-8',
  ];
  return enterAndExec(procs, [
    'setpriv',
    '--bounding-set=-sys_time',
    'nsenter',
    '-t',
    String(leader),
    '-m',
    '-u',
    '-i',
    '-n',
    '-p',
    '-C',
    '--',
    ...env,
    ...command,
  ]);
}

/**
 * Runs a command inside a node as root, on this terminal; gives its exit code.
 * @param deadline milliseconds, after which it is killed (124); none when absent
 */
export async function exec(target: Target, command: readonly string[], deadline?: number): Promise<number> {
  const { program, args } = insideOf(find(target), command);
  return runAttached(program, args, deadline);
}

async function runInside(found: Found, command: readonly string[]): Promise<string> {
  const { program, args } = insideOf(found, command);
  return run(program, args);
}

/** Waits until a new boot of the node answers. @param before pid of the nspawn that is to be replaced */
async function waitForNewBoot(target: Target, before: number | undefined, deadline: number): Promise<void> {
  const { lab, node, paths } = find(target);
  const fresh = await waitFor(() => {
    const now = nspawnOf(paths);
    return now !== undefined && now !== before && leaderOf(paths) !== undefined;
  }, deadline);
  if (!fresh)
    throw new LabFailure(`${node.name} did not boot again within ${deadline / 1000} s`, {
      remedy: `look at ${paths.supervisorLog} and ${paths.consoleLog}`,
      exitCode: 124,
    });
  await waitForSsh(target.settings, { lab, node }, deadline);
}

/** Reboots a node from inside, cleanly; waits until it answers again unless `wait` is false. */
export async function reboot(target: Target, options: { wait: boolean; deadline: number }): Promise<void> {
  const found = find(target);
  const before = nspawnOf(found.paths);
  const { program, args } = insideOf(found, ['systemctl', 'reboot']);
  await tryRun(program, args); // the connection may die with the node
  if (options.wait) await waitForNewBoot(target, before, options.deadline);
}

/** Power loss: everything in the node dies at once. It boots again, unless `stayOff`. Waits for that unless `wait` is false. */
export async function crash(target: Target, options: { wait: boolean; stayOff: boolean; deadline: number }): Promise<void> {
  const found = find(target);
  const before = nspawnOf(found.paths);
  if (!before) throw new LabFailure(`${target.node} is not running`, { remedy: `start it: strata lab on ${target.node} --name ${target.name}` });
  if (options.stayOff) writeFileSync(found.paths.stopMark, '');
  const leader = leaderOf(found.paths);
  process.kill(before, 'SIGKILL');
  if (leader) process.kill(leader, 'SIGKILL'); // PID 1 takes its whole pid namespace along
  if (options.stayOff) await waitUntilOff(target, 20_000);
  else if (options.wait) await waitForNewBoot(target, before, options.deadline);
}

/** Whether it went off in so many milliseconds. */
export async function waitUntilOff(target: Target, deadline: number): Promise<boolean> {
  const { paths } = find(target);
  return waitFor(() => supervisorOf(paths) === undefined && nspawnOf(paths) === undefined, deadline);
}

/** Shuts a node down cleanly; it stays off. After `deadline` milliseconds the power is cut. */
export async function off(target: Target, deadline: number): Promise<'clean' | 'forced'> {
  const { lab, node, paths } = find(target);
  const supervisor = supervisorOf(paths);
  if (supervisor) process.kill(supervisor, 'SIGTERM');
  if (supervisor && (await waitUntilOff(target, deadline))) return 'clean';
  await killNode(target.settings, lab, node);
  return 'forced';
}

/** Switches a node on and waits until it answers; nothing to do when it runs. */
export async function on(target: Target, deadline: number): Promise<void> {
  const { lab, node } = find(target);
  await startNode(target.settings, lab, node);
  await waitForSsh(target.settings, { lab, node }, deadline);
}

const changeNode = ({ settings, name, node }: Target, change: (n: NodeState) => NodeState): Promise<LabState> =>
  changeLab(settings, name, (lab) => withNode(lab, node, change));

async function changeFaults(target: Target, change: (faults: NodeState['faults']) => NodeState['faults']): Promise<void> {
  const was = find(target).node.faults; // names that are wrong are refused before anything changes
  const lab = await changeNode(target, (n) => ({ ...n, faults: change(n.faults) }));
  await applyFaultTable(lab);
  const { node, paths } = find(target);
  const leader = leaderOf(paths);
  if (!leader) return;
  const link = linkName(lab.slot, node.name);
  await applyRate(link, leader, node.faults.rateKbit);
  await applyHardware({ link, cgroup: cgroupName(lab.name, node.name), disk: paths.disk }, was, node.faults);
}

/** Cuts a node off, both ways: from all, from the control host (`host`), or from named nodes. Its link stays up, as in a real partition. */
export async function cut(target: Target, from: readonly string[]): Promise<void> {
  const { lab } = find(target);
  for (const peer of from) if (peer !== 'host' && peer !== '*') nodeOf(lab, peer);
  await changeFaults(target, (f) => ({ ...f, cutFrom: [...new Set([...f.cutFrom, ...(from.length ? from : ['*'])])] }));
}

/** Ends cuts, losses and limits of a node, and takes away what fills its disk. */
export async function heal(target: Target): Promise<void> {
  await changeFaults(target, () => ({ cutFrom: [], loss: 0 }));
  await unfull(target);
}

/** Cuts all nodes of a lab off from everything but each other and this machine's bridge address, or lets them out again. It outlives reboots. */
export async function outside({ settings, name }: Omit<Target, 'node'>, open: boolean): Promise<void> {
  const { slot } = await changeLab(settings, name, (lab) => ({ ...lab, outside: open }));
  await applyNat(labNetwork(slot), open);
}

/** Limits a node's bandwidth (kilobits a second) and loses a share of its frames (percent), each way. */
export const slow = (target: Target, limits: { rateKbit?: number; loss: number }): Promise<void> =>
  changeFaults(target, ({ rateKbit: _, ...f }) => ({ ...f, loss: limits.loss, ...(limits.rateKbit ? { rateKbit: limits.rateKbit } : {}) }));

/** Lets no packet of more than `mtu` bytes pass a node's link, either way, and tells neither end. */
export const narrow = (target: Target, mtu: number): Promise<void> => changeFaults(target, (f) => ({ ...f, mtu }));

/** Lets a node's disk do so many writes a second. */
export const slowDisk = (target: Target, writesPerSecond: number): Promise<void> => changeFaults(target, (f) => ({ ...f, writesPerSecond }));

/**
 * Fills a node's disk until `leave` bytes are free. Needs a disk of its own (`up --disk-size`), else it would fill this machine's.
 * @returns bytes free afterwards
 */
export async function full(target: Target, leave: number): Promise<number> {
  const { node, paths } = find(target);
  if (!node.diskBytes) {
    throw new LabFailure(`${node.name} has no disk of its own size: filling it would fill this machine's disk`, {
      remedy: `make the lab with disks of their own: strata lab up --name ${target.name} --disk-size 8G`,
      exitCode: 2,
    });
  }
  if (!supervisorOf(paths))
    throw new LabFailure(`${node.name} is off, its disk is not mounted`, { remedy: `start it: strata lab on ${node.name} --name ${target.name}` });
  const ballast = join(paths.disk, 'ballast');
  for (;;) {
    const fs = statfsSync(paths.disk);
    const size = fs.bavail * fs.bsize - leave;
    if (size < 4096) break;
    const had = existsSync(ballast) ? Number((await run('stat', ['-c', '%s', ballast])).trim()) : 0;
    const { code } = await tryRun('fallocate', ['-l', String(had + size), ballast], { deadline: 60_000 });
    if (code !== 0 && size <= 64 * 4096) break; // the rest is needed for the file system's own notes
    if (code !== 0) await tryRun('fallocate', ['-l', String(had + Math.floor(size / 2)), ballast], { deadline: 60_000 });
  }
  const file = openSync(ballast, 'a');
  fsyncSync(file);
  closeSync(file);
  const fs = statfsSync(paths.disk);
  return fs.bavail * fs.bsize;
}

/** Takes away what {@link full} put on a node's disk. */
export async function unfull(target: Target): Promise<void> {
  const { paths } = find(target);
  rmSync(join(paths.disk, 'ballast'), { force: true });
}

/** Gives a node a new address, in its files and at once. Nothing else in the node is told: that is Strata's work. */
export async function changeAddress(target: Target, address: string): Promise<void> {
  const found = find(target);
  const { lab, node, paths } = found;
  checkNewAddress(
    lab.slot,
    address,
    lab.nodes.filter((n) => n.name !== node.name).map((n) => n.address),
  );
  if (!leaderOf(paths)) throw new LabFailure(`${node.name} is off`, { remedy: `start it: strata lab on ${node.name} --name ${lab.name}` });
  const hosts = readFileSync(join(paths.root, 'etc/hosts'), 'utf8');
  writeFiles(paths.root, [networkFile(lab.slot, address), { path: '/etc/hosts', text: hostsWithAddress(hosts, node.name, address) }]);
  await changeNode(target, (n) => ({ ...n, address }));
  await runInside(found, ['networkctl', 'reload']);
  await runInside(found, ['networkctl', 'reconfigure', 'host0']);
  await waitForSsh(target.settings, { lab, node: { ...node, address } }, 15_000);
}

/** Gives a running node a second network card, on a network that leads nowhere else; it has it at every boot from now on. */
export async function addCard(target: Target, mtu: number): Promise<string> {
  const found = find(target);
  const second = { address: secondAddress(found.lab.slot, found.node.address), mtu };
  await openSecondNetwork(found.lab.slot);
  writeSecondCard(found.paths.root, second);
  const lab = await changeNode(target, (n) => ({ ...n, second }));
  await runInside(found, ['networkctl', 'reload']);
  await plugSecondCard(lab, nodeOf(lab, target.node), found.paths);
  const has = async (): Promise<boolean> => (await runInside(found, ['ip', '-4', '-o', 'address', 'show', 'dev', secondCard])).includes(second.address);
  if (!(await waitFor(has, 10_000)))
    throw new LabFailure(`${target.node} did not take the address ${second.address} within 10 s`, {
      remedy: `look at \`networkctl status ${secondCard}\` in it`,
    });
  return second.address;
}

/** Puts a running node behind the lab's NAT: it can dial out, nobody can dial it, by no address. It stays there. */
export async function putBehindNat(target: Target): Promise<string> {
  const found = find(target);
  const { lab, node, paths } = found;
  const { bridge } = natNetwork(lab.slot);
  const address = natAddress(lab.slot, node.address);
  await openNat(lab.slot);
  const hosts = readFileSync(join(paths.root, 'etc/hosts'), 'utf8');
  writeFiles(paths.root, [natNetworkFile(lab.slot, address), { path: '/etc/hosts', text: hostsWithAddress(hosts, node.name, address) }]);
  await changeNode(target, (n) => ({ ...n, nat: true, address }));
  await run('ip', ['link', 'set', linkName(lab.slot, node.name), 'master', bridge]);
  await runInside(found, ['networkctl', 'reload']);
  await runInside(found, ['networkctl', 'reconfigure', 'host0']);
  const out = async (): Promise<boolean> =>
    (await runInside(found, ['ip', '-4', '-o', 'route', 'show', 'default'])).includes(natNetwork(lab.slot).routerInside);
  if (!(await waitFor(out, 10_000))) throw new LabFailure(`${node.name} got no way out within 10 s`, { remedy: 'look at `networkctl status host0` in it' });
  return address;
}
