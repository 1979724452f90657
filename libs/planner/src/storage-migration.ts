import { type PlanKind, type SharedStorage, sharedStorage } from '@strata/model';
import { nativeTasks, storageTasks } from '@strata/tasks';
import type { PlanContext, PlannedNode } from './context';
import { hostEntries, obtain } from './install';
import { basePackages, openPorts, trusted } from './native-settings';
import { PlanRefused } from './refused';
import type { Line, Steps } from './steps';
import { authorityOn, dumps, mustBeHere, outsideFirst, sharedMount, sideMount, storageArtifacts, storageServices, view, volumesClass } from './storage';
import { chained, type Taking, undoOf } from './undo';

const kinds = ['migrate-storage', 'commit-storage', 'rollback-storage'] as const;
/** Runs that move the tree of a cluster from one kind of storage to the other. */
export const movesStorage = (kind: PlanKind): kind is (typeof kinds)[number] => kinds.some((k) => k === kind);

interface Moving {
  c: PlanContext;
  shared: SharedStorage;
  /** Whose tree becomes the shared one; in the way back its own file says it. */
  from: string;
  run: string;
}
/** @throws PlanRefused for a cluster without a shared file system in its spec, an unknown source, and while a node is away */
export function moveStorage(on: Steps, t: Taking): void {
  const { c, request } = t;
  const shared = sharedStorage(c.spec);
  if (!shared)
    throw new PlanRefused('storage.local', 'the spec asks for no shared file system', 'set `storage.kind: juicefs` in the spec that the migration is given');
  const [from = ''] = request.intent.nodes;
  if (!c.spec.nodes.some((n) => n.name === from))
    throw new PlanRefused('unknown-node', `the spec has no node ${from || 'to migrate from'}`, `name one of: ${c.spec.nodes.map((n) => n.name).join(', ')}`);
  if (c.absent.length > 0)
    throw new PlanRefused('storage.absent', `${c.absent.join(', ')} cannot be reached, and all nodes change trees together`, 'bring them up, then try again');
  mustBeHere(c, shared);
  const what = { c, shared, from, run: request.id };
  if (request.intent.kind === 'migrate-storage') migrate(on, what);
  else if (request.intent.kind === 'commit-storage') commit(on, what);
  else rollback(on, t, what);
}

const both = (m: Moving, n: PlannedNode): { path: string; node: string; source: boolean; run: string } => ({
  path: m.shared.path, node: n.name, source: n.name === m.from, run: m.run,
}); // prettier-ignore
const linesOf = (on: Steps, m: Moving, after: (n: PlannedNode) => readonly Line[]): Map<PlannedNode, Line> =>
  new Map(m.c.nodes.map((n) => [n, on.line(n.name, ...after(n))]));

/** Nothing that runs is touched before the freeze; from there to the thaw nobody writes. */
function migrate(on: Steps, m: Moving): void {
  const { c, shared } = m;
  const { path } = shared;
  on.phase('download');
  for (const a of storageArtifacts(c)) obtain(on, a, c);
  authorityOn(on, shared);
  on.phase('precheck');
  const users = on.line(null).step(storageTasks.treeFreeze, { path, stop: false }, { as: 'possible', title: 'Workloads that use the tree can be stopped' });
  const looked = linesOf(on, m, () => [users]);
  for (const [n, line] of looked) {
    line.step(storageTasks.migrationLook, { path, source: n.name === m.from });
    outsideFirst(line, n, c);
  }
  room(on, m, [...looked.values()]);
  on.phase('prepare');
  const lines = linesOf(on, m, (n) => [looked.get(n) as Line, ...rooms(on, m)]);
  for (const [n, line] of lines) {
    line.step(nativeTasks.hostsBlock, { entries: hostEntries(c, n) });
    line.step(nativeTasks.packagesInstall, { packages: [...new Set([...basePackages(c, n), 'attr', 'rsync'])].sort() });
    if (c.spec.native.firewall === 'open-ports') line.step(nativeTasks.firewallOpen, { ports: openPorts(c, n), ...trusted(c) });
    storageServices(line, { n, c, shared });
    sideMount(line, { n, c, shared });
  }
  on.phase('install');
  for (const pass of ['first', 'second'] as const) copyAll(lines, m, pass);
  const frozen = on.line(null, ...lines.values()).step(storageTasks.treeFreeze, { path, stop: true });
  for (const line of lines.values()) line.after(frozen);
  copyAll(lines, m, 'last');
  on.phase('activate');
  const copied = [...lines.values()].map((l) => l.fork());
  for (const [n, line] of lines) {
    line.after(...copied).step(storageTasks.treeAside, { path });
    sharedMount(line, { n, c, shared });
    view(on, c, { shared, node: n.name, after: line });
    dumps(line, { n, c, shared });
  }
  const mounted = [...lines.values()].map((l) => l.fork());
  for (const [n, line] of lines) line.after(...mounted).step(storageTasks.treeCompare, { ...both(m, n), back: false });
  const ends = [...lines.values()].map((l) => l.fork());
  on.line(null, ...ends).step(storageTasks.treeThaw, { path });
  volumesClass(on, c, ends);
  for (const line of lines.values()) line.after(...ends).step(storageTasks.juicefsSideUnmount, {});
}
function copyAll(lines: ReadonlyMap<PlannedNode, Line>, m: Moving, pass: 'first' | 'second' | 'last' | 'back'): void {
  const titles = { first: 'The tree is copied while all goes on', second: 'What changed meanwhile is copied', last: 'What changed to the end is copied', back: 'What changed since is copied into the old tree' };
  for (const [n, line] of lines) line.step(storageTasks.treeCopy, { ...both(m, n), pass }, { as: pass, title: titles[pass] });
} // prettier-ignore

/** Somebody else's bucket or database has room, or says that it has none. */
const roomNodes = ({ shared }: Moving): string[] => [...new Set([shared.objects.node, shared.metadata.node])].filter((node) => node !== null);
function room(on: Steps, m: Moving, after: readonly Line[]): void {
  const { objects, metadata } = m.shared;
  const trees = m.c.nodes.map((n) => {
    const $output = `${n.name}/${storageTasks.migrationLook.name}`;
    return { bytes: { $output, path: 'bytes' }, files: { $output, path: 'files' } };
  });
  for (const node of roomNodes(m))
    on.line(node, ...after).step(storageTasks.migrationRoom, {
      trees, objects: objects.kind !== 's3' && node === objects.node ? objects.kind : null, memoryMiB: metadata.kind === 'redis' && node === metadata.node ? metadata.maxMemoryMiB : null,
    }); // prettier-ignore
}
const rooms = (on: Steps, m: Moving): Line[] => roomNodes(m).map((node) => on.line(node, `${node}/${storageTasks.migrationRoom.name}`));

/** Nobody deletes an old tree before all have said that theirs may go. */
function commit(on: Steps, m: Moving): void {
  const { path } = m.shared;
  on.phase('precheck');
  const lines = linesOf(on, m, () => []);
  for (const [n, line] of lines) line.step(storageTasks.migrationMayEnd, { path, node: n.name });
  const all = [...lines.values()].map((l) => l.fork());
  on.phase('install');
  for (const line of lines.values()) line.after(...all).step(storageTasks.treeDrop, { path });
}

/** Changes first, while both trees are there; then the mounts go everywhere, the old trees come back, and last what served the shared one. */
function rollback(on: Steps, t: Taking, m: Moving): void {
  const { path } = m.shared;
  on.phase('prepare');
  const closed = on.line(null).step(storageTasks.volumesClass, { there: false }, { title: 'No claim gets a folder of the shared view any more' });
  const frozen = on.line(null, closed).step(storageTasks.treeFreeze, { path, stop: true });
  const lines = linesOf(on, m, () => [frozen]);
  on.phase('install');
  copyAll(lines, m, 'back');
  for (const [n, line] of lines) line.step(storageTasks.treeCompare, { ...both(m, n), back: true });
  const equal = [...lines.values()].map((l) => l.fork());
  on.phase('activate');
  for (const line of lines.values()) line.after(...equal).step(storageTasks.juicefsSideUnmount, {});
  const undone = new Map(m.c.nodes.map((n) => [n.name, undoOf(t, n.name)]));
  const takeBack = (n: PlannedNode, line: Line, names: readonly string[]): void => {
    const steps = chained((undone.get(n.name) ?? []).filter((s) => names.includes(s.task)), line.last); // prettier-ignore
    on.all.push(...steps);
    const last = steps.at(-1);
    if (last) line.after(last.key);
  };
  for (const [n, line] of lines) {
    takeBack(n, line, [storageTasks.metadataDumps.name, storageTasks.juicefsMount.name]);
    line.step(storageTasks.treeBack, { path });
  }
  const back = [...lines.values()].map((l) => l.fork());
  on.line(null, ...back).step(storageTasks.treeThaw, { path });
  const services = [storageTasks.juicefsInstall, storageTasks.objectsMinio, storageTasks.objectsSeaweedfs, storageTasks.metadataRedis].map((s) => s.name);
  for (const [n, line] of lines) takeBack(n, line.after(...back), services);
}
