import { ClusterName, type Finding, MetadataPlace, NodeName, storageNames } from '@strata/model';
import { z } from 'zod';
import { definePrecheck, type NodeContext, secretInput } from '../define-task';
import { blocker, info, warning } from '../native/findings';
import { type MetadataLook, type MetadataStore, MetadataStoreError } from '../ports/metadata-store';
import { attempt } from './attempt';
import { volumeIn } from './metadata-external';
import { metadataFinding } from './metadata-words';
import { foreignVolume } from './precheck-storage';
import { known } from './secrets';

const Input = z.strictObject({ cluster: ClusterName, node: NodeName, place: MetadataPlace, password: secretInput() });
type Context = NodeContext<z.infer<typeof Input>>;

/** Tries something with the database, as `attempt` does. */
const tried = <T>(c: Context, doing: 'look' | 'write', call: () => Promise<T>): ReturnType<typeof attempt<T, MetadataStoreError>> => {
  const { url } = c.input.place;
  return attempt(
    c,
    {
      what: `the metadata to let us ${doing}`, remedy: `see the database at ${url}, then retry the step`, answer: MetadataStoreError,
      isSilent: (error) => error.said === 'unreachable', findingOf: (error) => metadataFinding(error, { url, doing }),
    },
    call,
  );
}; // prettier-ignore

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
  const written = await tried(c, 'write', () => store.trial(`${storageNames(cluster).volume}.preflight/${node}`, text));
  if ('finding' in written) return written.finding;
  if (written.value === text) return null;
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
    const seen = await tried(c, 'look', () => store.look());
    if ('finding' in seen) return [seen.finding];
    const policy = dropping(c.input, seen.value);
    const refused = foreign(c.input, seen.value) ?? (policy?.severity === 'blocker' ? policy : null) ?? (await trial(c, store));
    return [refused ?? policy].filter((finding) => finding !== null);
  },
}); // prettier-ignore
