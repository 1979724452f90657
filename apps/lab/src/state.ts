import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { LabFailure } from './failure';
import { withLock } from './lock';
import { labPath, type Settings } from './settings';

/** Labs of several versions of this program share a machine: what another one keeps beside this is no damage. */
const Faults = z.object({
  /** `*` all, `host` the control host, or names of nodes. */
  cutFrom: z.array(z.string()).default([]),
  /** Kilobits a second, each way; absent: unlimited. */
  rateKbit: z.number().positive().optional(),
  /** Percent of frames lost, each way. */
  loss: z.number().min(0).max(100).default(0),
  /** Largest packet that the link takes, in bytes; absent: what the node believes. */
  mtu: z.number().int().min(576).optional(),
  /** What the disk does at most; absent: all it can. */
  writesPerSecond: z.number().int().positive().optional(),
});
export type Faults = z.infer<typeof Faults>;

const NodeState = z.object({
  name: z.string(),
  address: z.string(),
  base: z.enum(['bare', 'ready']),
  /** Folder of the base that the node's disk lies upon. */
  baseDir: z.string(),
  memoryBytes: z.number().int().positive(),
  /** Size of the node's own disk in bytes; absent: it shares the host's. */
  diskBytes: z.number().int().positive().optional(),
  hostKey: z.string(),
  /** Its second network card, if it has one. */
  second: z.strictObject({ address: z.string(), mtu: z.number().int() }).optional(),
  /** Behind the lab's NAT: `address` is one that nobody reaches. */
  nat: z.boolean().default(false),
  faults: Faults,
});
export type NodeState = z.infer<typeof NodeState>;

const LabState = z.object({
  version: z.literal(1),
  name: z.string(),
  slot: z.number().int().min(0).max(255),
  nodes: z.array(NodeState),
  /** False: the nodes' own way out is cut, and only this machine's bridge address is left. */
  outside: z.boolean().default(true),
});
export type LabState = z.infer<typeof LabState>;

const stateFile = (settings: Settings, name: string): string => join(labPath(settings, name), 'lab.json');

/** Reads a lab's state; undefined when there is no such lab. @throws LabFailure when the file is damaged. */
export function findLab(settings: Settings, name: string): LabState | undefined {
  const file = stateFile(settings, name);
  if (!existsSync(file)) return undefined;
  try {
    return LabState.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new LabFailure(`${file} is damaged`, { remedy: `remove the lab: strata lab down --name ${name}`, cause });
  }
}

/** As {@link findLab}. @throws LabFailure (exit code 2) when there is no such lab. */
export function readLab(settings: Settings, name: string): LabState {
  const lab = findLab(settings, name);
  if (lab) return lab;
  const others = labNames(settings);
  throw new LabFailure(`there is no lab named ${name}`, {
    remedy: others.length ? `name one of: ${others.join(', ')} (--name), or make it: strata lab up --name ${name}` : `make it: strata lab up --name ${name}`,
    exitCode: 2,
  });
}

/** The node of a lab by name. @throws LabFailure (exit code 2) when the lab has no such node. */
export function nodeOf(lab: LabState, node: string): NodeState {
  const found = lab.nodes.find((n) => n.name === node);
  if (found) return found;
  throw new LabFailure(`lab ${lab.name} has no node named ${node}`, { remedy: `its nodes are: ${lab.nodes.map((n) => n.name).join(', ')}`, exitCode: 2 });
}

/** Names of all labs that have a folder, half-made ones included. */
export const labNames = (settings: Settings): string[] =>
  existsSync(settings.labDir)
    ? readdirSync(settings.labDir, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => entry.name)
        .sort()
    : [];

/** Writes a lab's state in one step: a reader sees the old one or the new one. */
export function writeLab(settings: Settings, lab: LabState): void {
  mkdirSync(labPath(settings, lab.name), { recursive: true, mode: 0o700 });
  const file = stateFile(settings, lab.name);
  writeFileSync(`${file}.new`, `${JSON.stringify(LabState.parse(lab), null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Changes a lab's state under the lock of all states. @throws LabFailure as {@link readLab} does. */
export async function changeLab(settings: Settings, name: string, change: (lab: LabState) => LabState): Promise<LabState> {
  return withStates(async () => {
    const lab = change(readLab(settings, name));
    writeLab(settings, lab);
    return lab;
  });
}

/** Runs `work` while nobody else changes any lab's state or claims a network. */
export const withStates = <T>(work: () => Promise<T>): Promise<T> => withLock('/run/lock/strata-lab/states', 60, work);
/** Runs `work` while no other `up` or `down` of this lab runs. */
export const withLab = <T>(name: string, work: () => Promise<T>): Promise<T> => withLock(`/run/lock/strata-lab/lab-${name}`, 300, work);

/** State with one node changed. */
export const withNode = (lab: LabState, node: string, change: (n: NodeState) => NodeState): LabState => ({
  ...lab,
  nodes: lab.nodes.map((n) => (n.name === node ? change(n) : n)),
});
