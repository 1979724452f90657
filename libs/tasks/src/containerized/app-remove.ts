import { Name } from '@strata/model';
import { z } from 'zod';
import { defineServerTask, type ServerContext } from '../define-task';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { claimRef, claimsOf, dataKeys, markClaims } from './claims';
import { noteRef } from './release-note';

const Input = z.strictObject({
  release: Name,
  namespace: Name,
  timeoutMs: z.int(),
  deleteData: z.boolean(),
  deleteNamespace: z.boolean(), // of a user, when nothing else is in it
});
type Few = Pick<ServerContext<z.infer<typeof Input>>, 'cluster' | 'control' | 'input'>;
const namespaceOf = ({ namespace }: { namespace: string }) => ({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
/** Whose a namespace is; only a user's own is ever deleted. */
export const userLabel = 'strata.local/user';

/** What is left of an application, in words, or null. */
async function left({ cluster, control, input }: Few): Promise<string | null> {
  if ((await control.releases.newest(input)) !== null) return `the release ${input.release} is there`;
  if ((await cluster.get(noteRef(input))) !== null) return `the note of ${input.release} is there`;
  const claims = input.deleteData ? await claimsOf(cluster, input) : [];
  if (claims.length > 0) return `its data are there: ${claims.join(', ')}`;
  return input.deleteNamespace && (await cluster.get(namespaceOf(input))) !== null ? `the namespace ${input.namespace} is there` : null;
}

/** An application goes away. Its data stay, unless somebody says that they go too: its claims are marked as its own first, and Helm is told to leave them. */
export const appRemove = defineServerTask({
  name: 'app.remove', version: 1, layer: 'containerized', timeout: '45m', attempts: 3,
  title: 'The application is gone',
  input: Input,
  before: z.strictObject({}),
  output: z.strictObject({ kept: z.array(z.string()) }), // claims that are still there
  async check(c) {
    const reason = await left(c);
    if (reason !== null) return { state: 'unsatisfied', reason, before: {} };
    const kept = c.input.deleteData || c.input.deleteNamespace ? [] : await claimsOf(c.cluster, c.input);
    const remedy = `a new install of the same name takes them again; strata app remove ${c.input.release} --namespace ${c.input.namespace} --delete-data deletes them`;
    return { state: 'satisfied', output: { kept }, findings: kept.length === 0 ? [] : [{ severity: 'info', code: 'app.data-kept', message: `the data of ${c.input.release} stay: ${kept.join(', ')}`, remedy }] };
  },
  async apply(c) {
    const { cluster, control: { releases }, input, progress, log } = c;
    if ((await releases.newest(input)) !== null) {
      const claims = await markClaims(cluster, releases, input);
      progress(null, `Helm takes ${input.release} away; ${claims.length === 0 ? 'it has no claims' : `its claims are ${claims.join(', ')}`}`);
      await releases.uninstall(input, { timeoutMs: input.timeoutMs, signal: c.signal }, { keep: await dataKeys(releases, input) });
    }
    if (input.deleteData) {
      for (const name of await claimsOf(cluster, input)) {
        log(`claim ${name} is deleted`);
        await cluster.delete(claimRef(name, input));
      }
      await waitFor(c, async () => (await claimsOf(cluster, input)).length === 0, 'its claims to be gone');
    }
    await cluster.delete(noteRef(input));
    if (input.deleteNamespace) await deleteNamespace(c);
  },
  undo: { never: 'what was removed is installed again with `strata app install`' },
}); // prettier-ignore

async function deleteNamespace(c: Parameters<typeof waitFor>[0]): Promise<void> {
  const { cluster, input } = c;
  const found = await cluster.get(namespaceOf(input));
  if (!found) return;
  if (found.metadata.labels?.[userLabel] === undefined)
    throw new TaskError('not-ours', `the namespace ${input.namespace} is not one that Strata made for a user`, { remedy: `delete it yourself: strata kubectl -- delete namespace ${input.namespace}` });
  const others: string[] = [];
  for (const [apiVersion, kind] of [['v1', 'PersistentVolumeClaim'], ['apps/v1', 'Deployment'], ['apps/v1', 'StatefulSet'], ['apps/v1', 'DaemonSet']] as const)
    for (const o of await cluster.list({ apiVersion, kind, namespace: input.namespace })) others.push(`${kind} ${o.metadata.name}`);
  if (others.length > 0)
    throw new TaskError('namespace-in-use', `the namespace ${input.namespace} stays: there is ${others.slice(0, 5).join(', ')}`, { remedy: 'remove what else is in it first, or leave --delete-namespace out' });
  await cluster.delete(namespaceOf(input));
  await waitFor(c, async () => (await cluster.get(namespaceOf(input))) === null, `the namespace ${input.namespace} to be gone`);
} // prettier-ignore
function waitFor(
  { clock, signal, input, progress }: Few & Pick<ServerContext<z.infer<typeof Input>>, 'clock' | 'signal' | 'progress'>,
  done: () => Promise<boolean>,
  what: string,
): Promise<boolean> {
  progress(null, `waits for ${what}`);
  const wait = {
    what,
    timeoutMs: input.timeoutMs,
    everyMs: 500,
    signal,
    code: 'still-there',
    remedy: 'something still uses it: see `strata pods`, then retry the step',
  };
  return until(clock, wait, async () => ((await done()) ? true : null));
}
