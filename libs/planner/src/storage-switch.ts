import { type SharedStorage, sharedStorage, withSwitchedMetadata } from '@strata/model';
import { nativeTasks, storageTasks } from '@strata/tasks';
import type { PlanContext, PlannedNode } from './context';
import { hostEntries } from './install';
import { PlanRefused } from './refused';
import type { PlanRequest } from './request';
import type { Line, Steps } from './steps';
import { addressNow, derived, metadataAside, metadataOn, mustBeHere, sharedMount, stepOf, view } from './storage';
import { leaveAll, loadOf, mustBeWhole, settleOn } from './storage-restore';

interface Switch {
  /** As the cluster is when it is done. */
  c: PlanContext;
  shared: SharedStorage;
  /** The replica that becomes the primary. */
  next: PlannedNode;
  /** The primary until now; null while its machine is away. */
  last: PlannedNode | null;
  lastAddress: string;
}
/** @throws PlanRefused without a replica, or with its machine away */
function switchOf(c: PlanContext): Switch {
  const was = sharedStorage(c.spec);
  if (!was) throw new PlanRefused('storage.local', 'each node of this cluster has a tree of its own: there are no metadata', 'set `storage.kind: juicefs` for a shared file system (docs/storage.md)'); // prettier-ignore
  if (was.metadata.kind === 'external')
    throw new PlanRefused('storage.external-metadata', `the metadata are with somebody else (${was.metadata.place.url}): there is no replica of ours`, "switch it with your database's own tools; if what it has then is older than before, `strata storage restore --from current` makes it safe"); // prettier-ignore
  const { node, replica } = was.metadata;
  if (replica === null) throw new PlanRefused('storage.no-replica', `the metadata on ${node} have no replica`, 'name another node as `storage.metadata.replica` and apply; until then `strata storage restore` is what there is (docs/storage.md)'); // prettier-ignore
  const next = c.nodes.find((n) => n.name === replica);
  if (!next) throw new PlanRefused('storage.absent', `${replica} cannot be reached, and the replica is there`, `bring ${replica} up, then try again`);
  const then: PlanContext = { ...c, spec: { ...c.spec, storage: withSwitchedMetadata(c.spec) } };
  const lastAddress = addressNow(c, node);
  if (lastAddress === null) throw new PlanRefused('storage.absent', `nothing is known of ${node}, where the metadata are`, `bring ${node} up, then try again`);
  const last = c.nodes.find((n) => n.name === node) ?? null;
  return { c: then, shared: sharedStorage(then.spec) ?? was, next, last, lastAddress };
}
const hosts = (line: Line, n: PlannedNode, c: PlanContext): Line => line.step(nativeTasks.hostsBlock, { entries: hostEntries(c, n) });
const peerAt = (address: string): { address: string; password: { $secret: string } } => ({ address, password: derived('metadata-peer') });

/**
 * The planned switch: writes wait for a moment, the replica has all and takes the lead, every name leads to it, the primary that was follows. Nothing is
 * unmounted and nothing is lost. @throws PlanRefused while a node is away: it would go on asking the machine that has no lead any more.
 */
export function drillStorage(on: Steps, c: PlanContext, request: PlanRequest): void {
  const s = switchOf(c);
  mustBeWhole(c, request);
  const { next, last } = s;
  if (!last) throw new PlanRefused('storage.absent', 'the machine of the metadata cannot be reached', 'bring it up; if it is lost: `strata storage failover`');
  const [run, admin] = [request.id, derived('metadata-admin')];
  on.phase('install');
  const gives = on.line(last.name).step(storageTasks.metadataHandover, { run, admin, peer: peerAt(next.address) });
  const leads = on.line(next.name, gives).step(storageTasks.metadataLead, {
    run, admin, cluster: c.cluster, counts: { $output: stepOf(last.name, storageTasks.metadataHandover), path: 'counts' },
  }); // prettier-ignore
  const lines = s.c.nodes.map((n) => hosts(on.line(n.name, leads), n, s.c));
  on.phase('activate');
  const released = on.line(last.name, ...lines).step(storageTasks.metadataRelease, { run, admin });
  const goesOn = on.line(next.name, released).step(storageTasks.metadataRelease, { run, admin });
  for (const n of [last, next]) metadataOn(on.line(n.name, goesOn), n, { c: s.c, shared: s.shared });
  const both = [last, next].map((n) => stepOf(n.name, storageTasks.metadataRedis));
  for (const n of s.c.nodes) view(on, s.c, { shared: s.shared, node: n.name, after: on.line(n.name, ...both), run });
}

/**
 * The primary is lost: a fenced run with what its replica has. The machine of the primary may be away; what it comes back with asks nobody and is asked by
 * nobody until an apply has put it out of use. @throws PlanRefused while another node is away
 */
export function failoverStorage(on: Steps, c: PlanContext, request: PlanRequest): void {
  const s = switchOf(c);
  const { next, last, shared } = s;
  mustBeWhole(c, request, shared.metadata.replica ?? undefined);
  mustBeHere(s.c, shared);
  const [run, admin] = [request.id, derived('metadata-admin')];
  on.phase('prepare');
  const taken = on
    .line(next.name)
    .step(storageTasks.metadataTakeover, { run, admin, address: next.address, peer: peerAt(s.lastAddress), old: request.intent.force });
  const left = leaveAll(on, s.c, { shared, run, after: taken });

  on.phase('install');
  const loaded = on.line(next.name, taken, ...left).step(storageTasks.storageLoad, loadOf(c, { shared, run, from: 'current', node: next.name, left }));
  const led = loaded.fork();
  metadataOn(led, next, { c: s.c, shared });

  on.phase('activate');
  for (const n of s.c.nodes) {
    const line = on.line(n.name, led);
    if (n === last) metadataAside(line, n, s.c);
    hosts(line, n, s.c);
    sharedMount(line, { n, c: s.c, shared }, { needs: [stepOf(next.name, storageTasks.metadataRedis)] });
    view(on, s.c, { shared, node: n.name, after: line, run });
  }
  const settled = settleOn(on, s.c, next.name);
  if (!last) return;
  metadataOn(on.line(last.name, settled), last, { c: s.c, shared });
}
