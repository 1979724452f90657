import type { StorageStatus } from '@strata/model';
import { table } from '../output/table';

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
/** Bytes as people say them. */
export function size(bytes: number | null): string {
  if (bytes === null) return '-';
  const at = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), units.length - 1);
  return `${(bytes / 2 ** (10 * at)).toFixed(at === 0 ? 0 : 1)} ${units[at] ?? 'B'}`;
}
const percent = (share: number): string => `${Math.round(share * 100)} %`;

/** The status for a terminal: a line a node, the services, the disks, and what is wrong. */
export function storageWords(s: StorageStatus): string {
  const disks = s.nodes.flatMap((n) => n.disks.map((d) => [n.name, d.path, size(d.size), `${size(d.free)} (${percent(d.free / d.size)})`]));
  const parts = [
    `${s.cluster}: ${s.kind} at ${s.path}`,
    ...(s.kind === 'juicefs' ? [mounts(s), services(s)] : []),
    ...(s.volumes.length > 0 ? [volumes(s)] : []),
    table(['NODE', 'DISK OF', 'SIZE', 'FREE'], disks),
    s.problems.length === 0 ? 'nothing is wrong' : s.problems.map((p) => `${p.node}: ${p.words}\n  ${p.remedy}`).join('\n'),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}
function volumes(s: StorageStatus): string {
  const rows = s.volumes.map((v) => [
    `${v.namespace}/${v.claim}`,
    v.phase,
    size(v.size),
    v.used === null ? '-' : `${size(v.used)} (${percent(v.used / v.size)})`,
    v.volume,
  ]);
  return table(['CLAIM', 'PHASE', 'SIZE', 'USED', 'VOLUME'], rows);
}
function mounts(s: StorageStatus): string {
  const rows = s.nodes.map((n) => [
    n.name,
    n.mount?.state ?? '?',
    n.mount?.latencyMs == null ? '-' : `${n.mount.latencyMs} ms`,
    n.cache ? `${size(n.cache.used)} of ${size(n.cache.limit)}` : '-',
    n.cache?.hitRate == null ? '-' : percent(n.cache.hitRate),
    size(n.cache?.staging ?? null),
  ]);
  return table(['NODE', 'MOUNT', 'LATENCY', 'CACHE', 'HITS', 'STAGING'], rows);
}
function replicaWords(s: StorageStatus): string {
  const copy = s.nodes.find((n) => n.name === s.metadataReplica)?.metadata?.copy;
  if (!copy) return 'not known';
  if (copy.role === 'primary') return 'it was the primary, and follows nobody';
  const ago = copy.lagSeconds === null ? '' : `, and heard of it ${copy.lagSeconds} s ago`;
  return copy.inStep ? `it follows ${s.metadataNode ?? ''}${ago}` : `it does not follow ${s.metadataNode ?? ''}${ago}`;
}
function services(s: StorageStatus): string {
  const metadata = s.nodes.find((n) => n.name === s.metadataNode)?.metadata;
  const reached = s.nodes.filter((n) => n.objects?.answers === true).map((n) => n.name);
  const used = s.nodes.find((n) => n.used !== null)?.used ?? null;
  const memory = metadata
    ? `${size(metadata.used)} of ${size(metadata.limit)} memory (${percent(metadata.used / metadata.limit)}), ${metadata.sessions} mounts, ${metadata.clients} connections`
    : 'not known';
  const by = (of: readonly string[]): string => (of.length === s.nodes.length ? 'reached by every node' : `reached by ${of.join(', ') || 'no node'}`);
  const answering = s.nodes.filter((n) => n.external?.answers === true).map((n) => n.name);
  return [
    s.metadataUrl === null ? `metadata on ${s.metadataNode ?? '-'}: ${memory}` : `metadata with somebody else at ${s.metadataUrl}: ${by(answering)}`,
    ...(s.metadataReplica === null ? [] : [`replica on ${s.metadataReplica}: ${replicaWords(s)}`]),
    `objects on ${s.objectsNode ?? '-'}: ${by(reached)}; all files: ${size(used)}`,
  ].join('\n');
}
