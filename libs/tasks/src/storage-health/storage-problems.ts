import type { NodeStorage, StorageStatus } from '@strata/model';
import { closedRemedy } from '../storage/metadata-redis';

const fullAt = 0.7;
const lowAt = 0.1;
type Problem = StorageStatus['problems'][number];
type Node = StorageStatus['nodes'][number];

const percent = (share: number): string => `${Math.round(share * 100)} %`;
const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

function mountProblem(n: Node): Omit<Problem, 'node'>[] {
  if (n.mount === null) return [{ words: 'its agent has seen no shared mount', remedy: 'strata apply mounts it' }];
  const left = n.closed?.mount ?? null;
  if (left !== null) return [{ words: `this node left the tree: ${left}`, remedy: closedRemedy }];
  if (n.mount.state === 'ok') return [];
  const remedies = {
    waits: 'see whether metadata and objects run and let this node in; the mount goes on by itself when they do',
    hangs: 'nothing: the agent ends its connection and begins it anew', dead: 'nothing: the agent begins it anew', gone: 'nothing: systemd begins it anew',
    foreign: `unmount what is above it: findmnt ${n.mount.path} on ${n.name}`, stopped: `systemctl start strata-juicefs on ${n.name}`,
  }; // prettier-ignore
  const pods = n.pods.length === 0 ? '' : `; pods that use it: ${n.pods.join(', ')}`;
  return [{ words: n.mount.words + pods, remedy: remedies[n.mount.state] }];
}
function metadataProblem(m: NonNullable<NodeStorage['metadata']>): Omit<Problem, 'node'>[] {
  if (m.limit === 0 || m.used < m.limit * fullAt) return [];
  const words = `the metadata has used ${percent(m.used / m.limit)} of its memory (${mib(m.used)} of ${mib(m.limit)}): at 100 % every write is refused`;
  return [{ words, remedy: 'raise `storage.metadata.maxMemoryMiB` and apply, or delete files' }];
}

/** Metadata that went back: only a restore makes them safe. */
const closedProblem = ({ closed }: Node): Omit<Problem, 'node'>[] =>
  typeof closed?.metadata === 'string' ? [{ words: `the metadata let nobody in: ${closed.metadata}`, remedy: closedRemedy }] : [];

/** What is wrong between the two copies, told by the machine that it is wrong on. */
function copyProblem(n: Node, s: Omit<StorageStatus, 'problems' | 'volumes'>): Omit<Problem, 'node'>[] {
  const [copy, other] = [n.metadata?.copy ?? null, n.name === s.metadataNode ? s.metadataReplica : s.metadataNode];
  if (copy === null || s.metadataReplica === null) return closedProblem(n);
  const see = `systemctl status strata-metadata on ${other ?? ''}`;
  if (copy.role === 'primary' && n.name === s.metadataReplica)
    return [{ words: `its metadata were the primary until those on ${other ?? ''} were: nobody is let in`, remedy: 'strata apply makes it the replica' }];
  if (copy.role === 'replica' && n.name === s.metadataNode)
    return [{ words: 'its metadata are a replica, and nobody is the primary', remedy: 'take up the run that was to change that: strata runs resume' }];
  const closed = closedProblem(n);
  if (closed.length > 0) return closed;
  if (copy.closed !== null)
    return [
      {
        words: `the metadata let nobody in: ${copy.closed}`,
        remedy: `${see}; if that machine is gone for good, take \`storage.metadata.replica\` out of the spec and apply`,
      },
    ];
  if (copy.inStep) return [];
  if (copy.role === 'replica')
    return [
      { words: `the replica of the metadata does not follow ${other ?? ''}${copy.lagSeconds === null ? '' : `, for ${copy.lagSeconds} s`}`, remedy: see },
    ];
  return copy.alone
    ? [{ words: `the metadata have no copy: their replica on ${other ?? ''} is not in step yet`, remedy: `strata apply; then ${see}` }]
    : [
        {
          words: `the metadata answer no write: their replica on ${other ?? ''} does not follow`,
          remedy: `${see}; if that machine is gone for good, take \`storage.metadata.replica\` out of the spec and apply`,
        },
      ];
}

/** What is wrong, each with its node and what helps; empty when all is well. */
export function storageProblems(s: Omit<StorageStatus, 'problems' | 'volumes'>): Problem[] {
  return s.nodes.flatMap((n) => {
    if (n.missing !== null) return [{ node: n.name, words: n.missing, remedy: `strata doctor ${n.name}` }];
    const found: Omit<Problem, 'node'>[] = s.kind === 'juicefs' ? mountProblem(n) : [];
    const closed = closedProblem(n);
    if (n.metadata) found.push(...metadataProblem(n.metadata), ...copyProblem(n, s));
    else if (closed.length > 0) found.push(...closed);
    else if (n.name === s.metadataReplica) found.push({ words: 'the replica of the metadata does not answer', remedy: `systemctl status strata-metadata on ${n.name}` });
    else if (n.name === s.metadataNode) found.push({ words: 'the metadata does not answer', remedy: `systemctl status strata-metadata on ${n.name}` });
    if (n.external?.answers === false) found.push({ words: `the metadata do not answer: ${n.external.words}`, remedy: `see the database at ${s.metadataUrl ?? 'its URL'}, its password, and the way there` });
    if (n.objects?.answers === false) found.push({ words: n.objects.words, remedy: `see the object store on ${s.objectsNode ?? 'its node'}, and the way there` });
    for (const d of n.disks)
      if (d.free < d.size * lowAt) found.push({ words: `the disk of ${d.path} has ${Math.floor((d.free / d.size) * 100)} % free (${mib(d.free)})`, remedy: 'make room there, or enlarge it' });
    return found.map((p) => ({ node: n.name, ...p }));
  });
} // prettier-ignore
