import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cgroupName, makeCgroups, readCgroupTree, removeCgroups } from './cgroups';
import { textOf } from './failure';
import { applyHardware } from './hardware';
import { leaderOf, mountRoot, removeTraces } from './machine';
import { unmountBelow } from './mounts';
import { applyRate, linkExists, removeLink } from './network';
import { labNetwork, linkName, machineName, natNetwork } from './plan/address-plan';
import { afterEnd, enterAndExec, maxOpenFiles, nspawnArgs } from './plan/boot-plan';
import { planCgroups, type CgroupPlan } from './plan/cgroup-plan';
import { waitFor } from './programs';
import { plugSecondCard } from './second-card';
import { nodePaths, type NodePaths, type Settings } from './settings';
import { nodeOf, readLab, type LabState, type NodeState } from './state';

interface Machine {
  readonly lab: LabState;
  readonly node: NodeState;
  readonly paths: NodePaths;
  readonly cgroups: CgroupPlan;
}

/**
 * Keeps one node running until it is powered off or told to stop (SIGTERM: a clean shutdown). A reboot inside comes back, a crash is
 * booted again. Runs as a process of its own session; everything it says goes to its log.
 */
export async function supervise(settings: Settings, labName: string, nodeName: string): Promise<void> {
  const paths = nodePaths(settings, labName, nodeName);
  const log = (text: string): void => appendFileSync(paths.supervisorLog, `${new Date().toISOString()} ${text}\n`);
  writeFileSync(paths.supervisorPid, String(process.pid));
  let child: number | undefined;
  process.on('SIGTERM', () => {
    writeFileSync(paths.stopMark, '');
    if (child) process.kill(child, 'SIGTERM'); // nspawn asks the node's systemd to halt
  });
  let quickEnds = 0;
  try {
    for (;;) {
      const lab = readLab(settings, labName); // anew: address, memory and faults may have changed
      const node = nodeOf(lab, nodeName);
      const machine = { lab, node, paths, cgroups: planCgroups(readCgroupTree(), cgroupName(labName, nodeName), node.memoryBytes) };
      await mountRoot(paths, node);
      const started = Date.now();
      const code = await bootOnce(machine, (pid) => (child = pid), log);
      child = undefined;
      quickEnds = Date.now() - started < 2000 ? quickEnds + 1 : 0;
      const next = afterEnd({ code, stopAsked: existsSync(paths.stopMark), quickEnds });
      log(`nspawn ended with ${code ?? 'a signal'}: ${next}`);
      await clear(machine, log);
      if (next !== 'boot') break;
    }
  } catch (thrown) {
    log(`supervisor ends: ${textOf(thrown)}${thrown instanceof Error && thrown.cause ? `: ${textOf(thrown.cause)}` : ''}`);
    process.exitCode = 1;
  } finally {
    await unmountBelow(paths.dir);
    rmSync(paths.nspawnPid, { force: true });
    rmSync(paths.supervisorPid, { force: true });
  }
}

async function bootOnce(machine: Machine, started: (pid: number) => void, log: (text: string) => void): Promise<number | null> {
  const { lab, node, paths, cgroups } = machine;
  makeCgroups(cgroups);
  const link = linkName(lab.slot, node.name);
  const { program, args } = enterAndExec(cgroups.enter, [
    'systemd-nspawn',
    ...nspawnArgs({
      root: paths.root,
      machine: machineName(lab.slot, node.name),
      hostname: node.name,
      bridge: (node.nat ? natNetwork(lab.slot) : labNetwork(lab.slot)).bridge,
      shares: paths.shares,
      devices: ['/dev/fuse', '/dev/kmsg'].filter((device) => existsSync(device)),
      maxFiles: maxOpenFiles(readFileSync('/proc/self/limits', 'utf8')),
    }),
  ]);
  const console = openSync(paths.consoleLog, 'a', 0o600);
  const child = spawn(program, args, { stdio: ['ignore', console, console], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' } });
  closeSync(console);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code));
  });
  if (child.pid) {
    started(child.pid);
    writeFileSync(paths.nspawnPid, String(child.pid));
    log(`nspawn started, pid ${child.pid}`);
    if (existsSync(paths.stopMark)) child.kill('SIGTERM'); // asked for while we were starting it
  }
  void settle(machine, link).catch((thrown: unknown) => log(`after start: ${textOf(thrown)}`));
  return ended;
}

/** What can only be done once the node runs: limits of folders that nspawn makes, bandwidth of a link that is new at each boot. */
async function settle({ lab, node, paths, cgroups }: Machine, link: string): Promise<void> {
  for (const { path, value } of cgroups.afterStart) if (await waitFor(() => existsSync(path), 10_000)) writeFileSync(path, value);
  if (node.second && (await waitFor(() => leaderOf(paths) !== undefined, 30_000))) await plugSecondCard(lab, node, paths);
  const { rateKbit, mtu, writesPerSecond } = node.faults;
  if (!rateKbit && !mtu && !writesPerSecond) return;
  if (!(await waitFor(() => linkExists(link) && leaderOf(paths) !== undefined, 30_000))) return;
  const leader = leaderOf(paths);
  if (leader && rateKbit) await applyRate(link, leader, rateKbit);
  await applyHardware({ link, cgroup: cgroupName(lab.name, node.name), disk: paths.disk }, { cutFrom: [], loss: 0 }, node.faults);
}

/** After nspawn ended: a killed nspawn does not take the node along, and two systems must never run on one disk. */
async function clear({ lab, node, paths, cgroups }: Machine, log: (text: string) => void): Promise<void> {
  if (!(await removeCgroups(cgroups))) log('processes of the node would not die within 15 s');
  const link = linkName(lab.slot, node.name);
  if (!(await waitFor(() => !linkExists(link), 3000))) await removeLink(link);
  removeTraces(paths, machineName(lab.slot, node.name));
}
