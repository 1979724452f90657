import { type MetadataPlace, type RestoreFrom, type SharedStorage, sharedStorage } from '@strata/model';
import { storageTasks } from '@strata/tasks';
import type { PlanContext } from './context';
import { PlanRefused } from './refused';
import type { PlanRequest } from './request';
import type { Line, Steps } from './steps';
import { authorityOf, authorityOn, needsAuthority, bucketKey, derived, elsewhere, metadataOn, metadataPassword, sharedMount, stepOf, view } from './storage';

/**
 * The fenced run: nobody can reach the metadata, every node gives up all that it knows of them, they are restored above every number in use, all mount
 * again, and all see the same. @throws PlanRefused while a node is away: it would come back with the numbers and the cache of the old ones.
 */
export function restoreStorage(on: Steps, c: PlanContext, request: PlanRequest): void {
  const shared = sharedStorage(c.spec);
  if (!shared) throw new PlanRefused('storage.local', 'each node of this cluster has a tree of its own: there are no metadata to restore', 'set `storage.kind: juicefs` for a shared file system (docs/storage.md)'); // prettier-ignore
  mustBeWhole(c, request);
  if (shared.metadata.kind === 'external') return restoreExternal(on, c, { shared, external: shared.metadata.place, request });
  const [run, from, admin] = [request.id, request.intent.from ?? 'latest', derived('metadata-admin')];
  const { node } = shared.metadata;
  const service = c.nodes.find((n) => n.name === node);
  if (!service) throw new PlanRefused('storage.absent', `${node} cannot be reached, and the metadata are there`, `bring ${node} up, then restore again`); // prettier-ignore

  on.phase('prepare');
  const metadata = on.line(service.name);
  metadataOn(metadata, service, { c, shared });
  metadata.step(storageTasks.storageFence, { run, from, admin });
  const left = leaveAll(on, c, { shared, run, after: metadata });

  on.phase('install');
  metadata.step(storageTasks.storageLoad, loadOf(c, { shared, run, from, node: service.name, left }), { needs: left });

  on.phase('activate');
  for (const n of c.nodes) {
    const line = on.line(n.name, metadata);
    sharedMount(line, { n, c, shared }, { needs: [stepOf(service.name, storageTasks.metadataRedis)] });
    view(on, c, { shared, node: n.name, after: line, run });
  }
  settleOn(on, c, service.name);
}

/**
 * Nobody can be shut out of metadata of somebody else's: what keeps writers away is that every node was seen to leave. What is there then is made safe, and
 * all mount again. @throws PlanRefused for a dump: of those there is none of ours
 */
function restoreExternal(on: Steps, c: PlanContext, what: { shared: SharedStorage; external: MetadataPlace; request: PlanRequest }): void {
  const { shared, external, request } = what;
  if (request.intent.from !== 'current')
    throw new PlanRefused(
      'storage.external-metadata',
      `the metadata are with somebody else (${external.url}): no dump of theirs is taken here`,
      'stop `strata-juicefs` on every node, restore the database with its own tools, then `strata storage restore --from current`: it makes safe what is there (docs/storage.md)',
    );
  const run = request.id;
  on.phase('prepare');
  authorityOn(on, shared);
  const left = leaveAll(on, c, { shared, run });
  on.phase('install');
  const raised = on.line(c.controlPlane.name).step(
    storageTasks.metadataRaise,
    {
      run, cluster: c.cluster, external, password: metadataPassword(shared, c.controlPlane.name), ...authorityOf(shared), ...elsewhere(shared),
      seen: left.map((step) => ({ $output: step, path: 'seen' })),
    },
    { needs: [...left, ...needsAuthority(shared)] },
  ); // prettier-ignore
  on.phase('activate');
  for (const n of c.nodes) {
    const line = on.line(n.name, raised);
    sharedMount(line, { n, c, shared }, { needs: needsAuthority(shared) });
    view(on, c, { shared, node: n.name, after: line, run });
  }
}

/** Every node gives up its mount and its cache. Gives the steps. */
export function leaveAll(on: Steps, c: PlanContext, { shared, run, after }: { shared: SharedStorage; run: string; after?: Line }): string[] {
  for (const n of c.nodes) on.line(n.name, ...(after ? [after] : [])).step(storageTasks.storageLeave, { run, path: shared.path, cache: shared.cache.path });
  return c.nodes.map((n) => stepOf(n.name, storageTasks.storageLeave));
}
/** What the metadata are loaded with when all have left: above every number that any of them knew. */
export const loadOf = (c: PlanContext, { shared, run, from, node, left }: { shared: SharedStorage; run: string; from: RestoreFrom; node: string; left: readonly string[] }) => ({
  run, from, admin: derived('metadata-admin'), cluster: c.cluster, node, password: derived(`metadata-node:${node}`), ...bucketKey(shared.objects), ...elsewhere(shared),
  seen: left.map((step) => ({ $output: step, path: 'seen' })),
}); // prettier-ignore
/** When all see the same tree, what was there before is dropped. */
export function settleOn(on: Steps, c: PlanContext, node: string): Line {
  const looked = c.nodes.map((n) => stepOf(n.name, c.nodes.length > 1 ? storageTasks.viewRead : storageTasks.viewWrite));
  return on.line(node, ...looked).step(storageTasks.storageSettle, { admin: derived('metadata-admin') });
}

/** @throws PlanRefused while a node is away that may have the tree mounted; `without`: one that what it knows is no danger of */
export function mustBeWhole(c: PlanContext, request: PlanRequest, without?: string): void {
  const away = c.absent.filter((name) => name !== without && (request.absent.includes(name) || request.enrolled.has(name)));
  const remove = `\`strata node remove ${away[0] ?? ''} --force\``;
  if (away.length > 0)
    throw new PlanRefused(
      'storage.unfenced',
      `${away.join(', ')} cannot be reached: a node that was not unmounted comes back with numbers and blocks of the metadata from before, and would write them over others'`,
      sharedStorage(c.spec)?.metadata.kind === 'external'
        ? `bring ${away.join(', ')} up, or see that it is off and stays so, take it out (${remove}), and give the user of the database another password`
        : `bring ${away.join(', ')} up, or take it out first, which shuts it out of the metadata: ${remove}`,
    );
  const dropped = request.dropped ?? [];
  if (dropped.length > 0)
    throw new PlanRefused(
      'storage.unfenced',
      `${dropped.join(', ')} is in the cluster, but not in its spec any more: it would keep what it knows of the metadata from before`,
      `take it out first (\`strata node remove ${dropped[0] ?? ''}\`), or put it back into the spec and apply`,
    );
}
