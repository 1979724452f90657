import { ClusterName, type Finding, MetadataPlace, NodeName, storageNames } from '@strata/model';
import { z } from 'zod';
import { definePrecheck, type NodeContext, secretInput } from '../define-task';
import { blocker, info, warning } from '../native/findings';
import { type MetadataLook, type MetadataStore, MetadataStoreError } from '../ports/metadata-store';
import { until } from '../wait';
import { volumeIn } from './metadata-external';
import { metadataFinding } from './metadata-words';
import { foreignVolume } from './precheck-storage';
import { known } from './secrets';

const Input = z.strictObject({ cluster: ClusterName, node: NodeName, place: MetadataPlace, password: secretInput() });
type Context = NodeContext<z.infer<typeof Input>>;

/** A finding for what the database refuses for good; what may pass by itself is tried again for a while. @throws TaskError when it does not */
async function attempt<T>(c: Context, doing: 'look' | 'write', call: () => Promise<T>): Promise<{ value: T } | { finding: Finding }> {
  let last: MetadataStoreError | null = null;
  let silent = 0;
  const { url } = c.input.place;
  const wait = { what: `the metadata to let us ${doing}`, timeoutMs: 45_000, everyMs: 2000, signal: c.signal, remedy: `see the database at ${url}, then retry the step` };
  return until(c.clock, { ...wait, note: () => last?.message ?? '' }, async () => {
    try {
      return { value: await call() };
    } catch (error) {
      if (!(error instanceof MetadataStoreError)) throw error;
      last = error;
      if (error.said === 'unreachable' && ++silent < 3) return null; // a line that broke once is no reason to refuse
      const finding = metadataFinding(error, { url, doing });
      return finding === null ? null : { finding };
    }
  });
} // prettier-ignore

/** Whose the database is. */
function foreign({ cluster, place }: z.infer<typeof Input>, { setting, others, engine }: MetadataLook): Finding | null {
  const { volume } = storageNames(cluster);
  const is = volumeIn(setting);
  if (is !== null && is.Name !== volume) return foreignVolume(is.Name, volume, place.url);
  if (is !== null || others.length === 0) return null;
  const what = engine === 'postgres' ? 'tables' : 'keys';
  return blocker('storage.foreign-metadata', `${place.url} holds ${what} that are not of the volume ${volume}: ${others.slice(0, 3).join(', ')}${others.length > 3 ? ' and more' : ''}`, 'name a database of its own for this cluster, then apply again');
} // prettier-ignore
/** A Redis that drops keys when it is full drops files. */
function dropping({ place }: z.infer<typeof Input>, { engine, policy }: MetadataLook): Finding | null {
  if (engine !== 'redis' || policy === 'noeviction') return null;
  const remedy = 'set `maxmemory-policy noeviction` there';
  if (policy === null) return warning('storage.policy-unknown', `${place.url} does not tell what it does when its memory is full: with any other policy than noeviction it would drop files`, `see that it is so: ${remedy}`);
  return blocker('storage.drops-keys', `${place.url} drops keys when its memory is full (maxmemory-policy ${policy}): files would be gone`, `${remedy}, then apply again`);
} // prettier-ignore
/** Makes, writes, reads back and takes away something of its own. */
async function trial(c: Context, store: MetadataStore): Promise<Finding | null> {
  const { cluster, node, place } = c.input;
  const text = `${node} ${c.clock.now()}`;
  const tried = await attempt(c, 'write', () => store.trial(`${storageNames(cluster).volume}.preflight/${node}`, text));
  if ('finding' in tried) return tried.finding;
  if (tried.value === text) return null;
  return blocker('storage.unfaithful', `${place.url} gives back something else than it took`, 'take a database that keeps what it is given, then apply again');
}

/**
 * The metadata with somebody else are this volume's own, and with this password this machine can do there what JuiceFS does. It leaves nothing, and writes
 * nothing into a database that is somebody else's.
 */
export const metadataCheck = definePrecheck({
  name: 'metadata.check', version: 1, timeout: '4m',
  title: 'The database of the metadata takes and gives back what this node writes',
  input: Input,
  async look(c) {
    const { place } = c.input;
    const password = known(c.secret, c.input.password);
    if (password === null) return [info('storage.untried', `the metadata at ${place.url} are tried when the plan is carried out: a look has no password`)];
    const store = c.host.metadataStore({ ...place, password });
    const seen = await attempt(c, 'look', () => store.look());
    if ('finding' in seen) return [seen.finding];
    const policy = dropping(c.input, seen.value);
    const refused = foreign(c.input, seen.value) ?? (policy?.severity === 'blocker' ? policy : null) ?? (await trial(c, store));
    return [refused ?? policy].filter((finding) => finding !== null);
  },
}); // prettier-ignore
