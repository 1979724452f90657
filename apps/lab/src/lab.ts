import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, openSync, closeSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { ensureBase } from './base';
import { cgroupName, readCgroupTree, removeCgroups } from './cgroups';
import { LabFailure } from './failure';
import { labLogin, leaderOf, nspawnOf, prepareNode, removeTraces, supervisorOf } from './machine';
import { removeTree } from './mounts';
import { closeNat, openNat } from './nat';
import { applyFaultTable, claimNetwork, closeNetwork, linkExists, markedBridges, openNetwork, removeLink } from './network';
import { labNetwork, linkName, machineName, maxNodes, nodeAddress, nodeName } from './plan/address-plan';
import { planCgroups } from './plan/cgroup-plan';
import type { BaseName } from './plan/packages';
import { run, waitFor } from './programs';
import { closeSecondNetwork, openSecondNetwork } from './second-card';
import { labPath, nodePaths, type Settings } from './settings';
import { changeLab, findLab, labNames, readLab, withLab, withStates, writeLab, type LabState, type NodeState } from './state';

export interface UpOptions {
  readonly name: string;
  readonly nodes: number;
  readonly base: BaseName;
  readonly memoryBytes: number;
  readonly diskBytes?: number;
  /** Milliseconds for all nodes to answer; building a base does not count. */
  readonly deadline: number;
  readonly say: (line: string) => void;
}

/** What `-o json` shows of a node. */
export interface NodeView {
  readonly name: string;
  readonly address: string;
  /** `running`: systemd is PID 1; `booting`: nspawn runs; `off`: powered off; `dead`: its supervisor is gone without having been told to stop. */
  readonly state: 'running' | 'booting' | 'off' | 'dead';
  readonly base: BaseName;
  readonly memoryBytes: number;
  readonly diskBytes: number | null;
  readonly hostKey: string;
  /** Address of its second card, if it has one. */
  readonly second: string | null;
  readonly pid: number | null;
  readonly faults: NodeState['faults'];
}
/** What `-o json` shows of a lab. Files hold secrets and are readable by root only. */
export interface LabView {
  readonly name: string;
  readonly dir: string;
  readonly bridge: string;
  readonly subnet: string;
  readonly hostAddress: string;
  readonly keyFile: string;
  readonly opsPasswordFile: string;
  readonly nodes: readonly NodeView[];
}

/** Looks at a lab and its nodes. */
export function viewLab(settings: Settings, lab: LabState): LabView {
  const network = labNetwork(lab.slot);
  const login = labLogin(settings, lab.name);
  const nodes = lab.nodes.map((node): NodeView => {
    const paths = nodePaths(settings, lab.name, node.name);
    const leader = leaderOf(paths);
    const supervised = supervisorOf(paths) !== undefined;
    const state = leader && supervised ? 'running' : supervised ? 'booting' : nspawnOf(paths) ? 'dead' : 'off';
    const { name, address, base, memoryBytes, diskBytes, hostKey, faults } = node;
    return {
      name,
      address,
      state,
      base,
      memoryBytes,
      diskBytes: diskBytes ?? null,
      hostKey,
      second: node.second?.address ?? null,
      pid: leader ?? null,
      faults,
    };
  });
  return {
    name: lab.name,
    dir: labPath(settings, lab.name),
    bridge: network.bridge,
    subnet: network.subnet,
    hostAddress: network.hostAddress,
    keyFile: login.keyFile,
    opsPasswordFile: login.passwordFile,
    nodes,
  };
}

/** All labs; one that is half made (no state yet, or a damaged one) is named with no nodes. */
export function listLabs(settings: Settings): { labs: LabView[]; broken: string[] } {
  const labs: LabView[] = [];
  const broken: string[] = [];
  for (const name of labNames(settings)) {
    try {
      labs.push(viewLab(settings, readLab(settings, name)));
    } catch {
      broken.push(name);
    }
  }
  return { labs, broken };
}

/**
 * Makes a lab, or brings an existing one to the asked number of nodes and boots those that are off; nodes are never taken away.
 * @throws LabFailure when a node does not answer in time; the lab stays for a look, `down` removes it.
 */
export async function up(settings: Settings, options: UpOptions): Promise<{ lab: LabView; elapsedMs: number; basesBuilt: string[] }> {
  if (options.nodes < 1 || options.nodes > maxNodes)
    throw new LabFailure(`a lab has 1 to ${maxNodes} nodes, not ${options.nodes}`, { remedy: 'give --nodes', exitCode: 2 });
  const base = await ensureBase(settings, options.base, options.say);
  const started = Date.now();
  const lab = await withLab(options.name, async () => {
    const made = await makeLab(settings, options.name);
    await openNetwork({ name: made.name, dir: labPath(settings, made.name), outside: made.outside }, made.slot);
    await addNodes(settings, options, base.dir);
    const all = readLab(settings, options.name);
    if (all.nodes.some((node) => node.nat)) await openNat(all.slot);
    if (all.nodes.some((node) => node.second)) await openSecondNetwork(all.slot);
    await applyFaultTable(all);
    await Promise.all(all.nodes.map((node) => startNode(settings, all, node)));
    await Promise.all(all.nodes.map((node) => waitForSsh(settings, { lab: all, node }, options.deadline)));
    return all;
  });
  return { lab: viewLab(settings, lab), elapsedMs: Date.now() - started, basesBuilt: base.built ? [options.base] : [] };
}

async function makeLab(settings: Settings, name: string): Promise<LabState> {
  return withStates(async () => {
    const found = findLab(settings, name);
    if (found) return found;
    const taken = labNames(settings).flatMap((other) => findLab(settings, other)?.slot ?? []);
    const lab: LabState = { version: 1, name, slot: await claimNetwork({ name, dir: labPath(settings, name) }, taken), nodes: [], outside: true };
    mkdirSync(labPath(settings, name), { recursive: true, mode: 0o700 });
    chmodSync(labPath(settings, name), 0o700);
    const { keyFile, passwordFile } = labLogin(settings, name);
    if (!existsSync(keyFile)) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `strata-lab-${name}`, '-f', keyFile]);
    writeFileSync(passwordFile, `${randomBytes(12).toString('base64url')}\n`, { mode: 0o600 });
    writeLab(settings, lab);
    return lab;
  });
}

async function addNodes(settings: Settings, options: UpOptions, baseDir: string): Promise<void> {
  const lab = readLab(settings, options.name);
  const missing = Array.from({ length: options.nodes }, (_, i) => i + 1).filter((n) => !lab.nodes.some((node) => node.name === nodeName(n)));
  const made = await Promise.all(
    missing.map(async (n): Promise<NodeState> => {
      const { base, memoryBytes, diskBytes } = options;
      const node: NodeState = {
        name: nodeName(n),
        address: nodeAddress(lab.slot, n),
        base,
        baseDir,
        memoryBytes,
        ...(diskBytes ? { diskBytes } : {}),
        hostKey: '',
        nat: false,
        faults: { cutFrom: [], loss: 0 },
      };
      await removeTree(nodePaths(settings, lab.name, node.name).dir); // left by an `up` that was broken off
      return { ...node, hostKey: await prepareNode(settings, lab, node) };
    }),
  );
  if (made.length) await changeLab(settings, options.name, (now) => ({ ...now, nodes: [...now.nodes, ...made] }));
}

/** Starts a node's supervisor unless it runs; clears what a dead one left. */
export async function startNode(settings: Settings, lab: LabState, node: NodeState): Promise<void> {
  const paths = nodePaths(settings, lab.name, node.name);
  if (supervisorOf(paths)) return;
  await killNode(settings, lab, node);
  rmSync(paths.stopMark, { force: true });
  const log = openSync(paths.supervisorLog, 'a', 0o600);
  const child = spawn(process.execPath, [process.argv[1] ?? '', '_supervise', lab.name, node.name], {
    detached: true,
    stdio: ['ignore', log, log],
    cwd: '/',
    env: { ...process.env, STRATA_LAB_DIR: settings.labDir, NODE_OPTIONS: '' },
  });
  closeSync(log);
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', () => resolve());
    child.once('error', (cause) =>
      reject(new LabFailure(`the supervisor of ${node.name} could not be started`, { remedy: `see ${paths.supervisorLog}`, cause })),
    );
  });
  child.unref();
}

/** Ends whatever is left of a node, at once and without asking it: supervisor, processes, cgroups, link. */
export async function killNode(settings: Settings, lab: LabState, node: Pick<NodeState, 'name'>): Promise<void> {
  const paths = nodePaths(settings, lab.name, node.name);
  const supervisor = supervisorOf(paths);
  if (supervisor) process.kill(supervisor, 'SIGKILL');
  if (supervisor) await waitFor(() => supervisorOf(paths) === undefined, 5000);
  const plan = planCgroups(readCgroupTree(), cgroupName(lab.name, node.name), 1);
  if (!(await removeCgroups(plan))) {
    throw new LabFailure(`processes of ${node.name} would not die within 15 s`, {
      remedy: `look at them: cat ${plan.lookIn[0] ?? ''}/cgroup.procs; then try again`,
    });
  }
  const link = linkName(lab.slot, node.name);
  if (!(await waitFor(() => !linkExists(link), 1500))) await removeLink(link);
  for (const file of [paths.supervisorPid, paths.nspawnPid]) rmSync(file, { force: true });
  removeTraces(paths, machineName(lab.slot, node.name));
}

/** Whether something at `address` greets as an SSH server. */
async function greets(address: string): Promise<boolean> {
  return new Promise<boolean>((resolve) => {
    const socket = connect({ host: address, port: 22, timeout: 1000 });
    const end = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('data', (data) => end(data.toString('latin1').startsWith('SSH-2.0-')));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
    socket.once('close', () => end(false));
  });
}

/** Waits until a node's SSH server answers. @throws LabFailure (exit code 124) with the place of its logs. */
export async function waitForSsh(settings: Settings, { lab, node }: { lab: LabState; node: NodeState }, deadline: number): Promise<void> {
  const paths = nodePaths(settings, lab.name, node.name);
  if (node.faults.cutFrom.some((from) => from === '*' || from === 'host')) return; // cut on purpose: it cannot answer
  if (node.nat ? await waitFor(() => leaderOf(paths) !== undefined, deadline) : await waitFor(() => greets(node.address), deadline)) return; // nobody reaches what is behind a NAT
  throw new LabFailure(
    `${node.name} (${node.address}) did not answer by SSH within ${deadline / 1000} s; its state is ${viewLab(settings, lab).nodes.find((n) => n.name === node.name)?.state ?? 'unknown'}`,
    {
      remedy: `look at ${paths.consoleLog} and ${paths.supervisorLog}, or go on after: strata lab down --name ${lab.name}`,
      exitCode: 124,
    },
  );
}

/**
 * Removes a lab without a trace, in whatever state it is: processes, cgroups, mounts, links, tables, files. A lab that is not there is fine.
 * @returns whether there was one
 */
export async function down(settings: Settings, name: string): Promise<boolean> {
  return withLab(name, async () => {
    const dir = labPath(settings, name);
    let lab: LabState | undefined;
    try {
      lab = findLab(settings, name);
    } catch {
      lab = undefined; // damaged: what can be found by name is removed
    }
    const marked = markedBridges().find((b) => b.name === name);
    if (marked && marked.dir !== dir) return false; // a lab of this name whose state is elsewhere
    const slot = lab?.slot ?? marked?.slot;
    if (!existsSync(dir) && slot === undefined) return false;
    const known: LabState = lab ?? { version: 1, name, slot: slot ?? 256, nodes: [], outside: true };
    const nodes = Array.from({ length: maxNodes }, (_, i) => nodeName(i + 1)).filter(
      (node) => existsSync(nodePaths(settings, name, node).dir) || hasCgroups(name, node),
    );
    await Promise.all(nodes.map((node) => killNode(settings, known, { name: node })));
    if (slot !== undefined) await closeNat(slot);
    if (slot !== undefined) await closeSecondNetwork(slot);
    if (slot !== undefined) await closeNetwork(slot);
    await removeTree(dir);
    return true;
  });
}

const hasCgroups = (lab: string, node: string): boolean => planCgroups(readCgroupTree(), cgroupName(lab, node), 1).lookIn.some((dir) => existsSync(dir));
