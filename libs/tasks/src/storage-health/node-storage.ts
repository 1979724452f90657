import { type DiskSpace, type MetadataCopy, type MountHealth, type NodeStorage, type StorageAsk } from '@strata/model';
import type { Host } from '../ports/host';
import { redisCli } from '../storage/metadata-ask';
import { closedWords } from '../storage/metadata-redis';
import { type MountTold, mountTold } from '../storage/mount-told';
import { guardPaths, metadataPaths, minioPaths, mountPaths, objectsPaths } from '../storage/storage-paths';
import { mountOfUnit, mountUnitFile } from './mount-health';

const answerMs = 8_000;
type Ran = { code: number; stdout: string };
/** A program with a deadline; one that cannot be run or does not end tells nothing. */
const run = (host: Host, argv: readonly [string, ...string[]], more: { input?: string; env?: Record<string, string> } = {}): Promise<Ran> =>
  host.programs.run(argv, { timeoutMs: answerMs, ...more }).catch(() => ({ code: 1, stdout: '' }));

/** Everything that this node knows of the storage now. Nothing is changed, and nothing waits for a mount that hangs. */
export async function lookAtStorage(host: Host, at: { ask: StorageAsk; mount: MountHealth | null }): Promise<NodeStorage> {
  const { ask, mount } = at;
  if (ask.objectsUrl === null) return { ...nothing, disks: await disks(host, [ask.path]) };
  const of = mountOfUnit((await host.files.read(mountUnitFile)) ?? '');
  const told = await mountTold(host);
  const [stats, metadata, external, objects, found] = await Promise.all([
    mount?.state === 'ok' ? statsOf(host, mount.path) : new Map<string, number>(),
    metadataOf(host, told),
    externalOf(host, told),
    objectsOf(host, { url: ask.objectsUrl, told }),
    disks(host, [...(of ? [of.cachePath] : []), ...[metadataPaths, objectsPaths, minioPaths].map((p) => p.data.replace('/var/lib/', '/var/lib/private/'))]),
  ]);
  const [hits, misses] = [stats.get('blockcache_hits') ?? 0, stats.get('blockcache_miss') ?? 0];
  return {
    closed: { mount: (await host.files.read(mountPaths.closed))?.trim() ?? null, metadata: await closedWords(host) },
    mount, metadata, external, objects,
    cache: of && {
      path: of.cachePath, limit: of.cacheMiB * 2 ** 20, used: stats.get('blockcache_bytes') ?? null,
      hitRate: hits + misses === 0 ? null : hits / (hits + misses), staging: stats.get('staging_block_bytes') ?? null,
    },
    used: stats.get('used_space') ?? null, disks: found,
  };
} // prettier-ignore
const nothing = { mount: null, cache: null, used: null, metadata: null, objects: null };

/** Free space of the file systems of these folders; those that are not there are left out. */
async function disks(host: Host, paths: readonly string[]): Promise<DiskSpace[]> {
  const all = paths.map(async (path): Promise<DiskSpace[]> => {
    const [, size, free] = /^\s*(\d+)\s+(\d+)\s*$/m.exec((await run(host, ['df', '-B1', '--output=size,avail', '--', path])).stdout) ?? [];
    return size === undefined || free === undefined ? [] : [{ path, size: Number(size), free: Number(free) }];
  });
  return (await Promise.all(all)).flat();
}

/** JuiceFS' own numbers of this mount; none where it does not tell them in time. */
const statsOf = async (host: Host, path: string): Promise<Map<string, number>> => statsIn((await run(host, statsOfMount(path))).stdout);
/** The program that prints them, */
export const statsOfMount = (path: string): readonly [string, ...string[]] => ['cat', '--', `${path}/.stats`];
/** and what it prints, by their names without `juicefs_`. */
export const statsIn = (text: string): Map<string, number> =>
  new Map([...text.matchAll(/^juicefs_(\w+) (\S+)$/gm)].map(([, name = '', value]) => [name, Number(value)]));

/** What the metadata says of itself, asked as this node's user; null where it does not run. */
async function metadataOf(host: Host, told: MountTold | null): Promise<NodeStorage['metadata']> {
  if ((await host.files.stat(metadataPaths.config)) === null) return null;
  const user = /^rediss:\/\/([^@]+)@/.exec(told?.url ?? '')?.[1];
  const password = told?.environment.META_PASSWORD;
  if (user === undefined || password === undefined) return null;
  const cli = [...redisCli(user), '-n', '1'] as const;
  const { stdout } = await run(host, cli, { env: { REDISCLI_AUTH: password }, input: 'INFO memory\nINFO clients\nINFO replication\nZCARD allSessions\n' });
  const number = (of: RegExp): number => Number(of.exec(stdout)?.[1] ?? Number.NaN);
  const [used, limit, clients] = [number(/^used_memory:(\d+)/m), number(/^maxmemory:(\d+)/m), number(/^connected_clients:(\d+)/m)];
  const sessions = number(/(\d+)\s*$/);
  return [used, limit, clients, sessions].some(Number.isNaN) ? null : { used, limit, clients, sessions, copy: await copyOf(host, stdout) };
}
/** Whether metadata of somebody else's answer this node, with its own password; null where they are ours. */
async function externalOf(host: Host, told: MountTold | null): Promise<NodeStorage['external']> {
  if (told === null || told.url.includes('tls-ca-cert-file=')) return null;
  const [url = ''] = told.url.split('?');
  const caPem = (await host.files.read(mountPaths.trust)) ?? undefined;
  const asked = host.metadataStore({ url, password: told.environment.META_PASSWORD ?? '', caPem, deadlineMs: answerMs }).look();
  return asked.then(
    ({ setting }) => (setting === null ? { answers: false, words: `${url} holds no volume any more` } : { answers: true, words: 'it answers' }),
    (error: Error) => ({ answers: false, words: error.message }),
  );
}
/** How it stands to the other copy, by its notes and what Redis says of itself; null where there is no other. */
async function copyOf(host: Host, said: string): Promise<MetadataCopy | null> {
  if ((await host.files.stat(metadataPaths.peer)) === null) return null;
  const closed = ((await host.files.read(guardPaths.closed)) ?? (await host.files.read(guardPaths.waits)))?.trim() ?? null;
  const number = (of: RegExp): number | null => ((found) => (found === undefined ? null : Number(found)))(of.exec(said)?.[1]);
  if ((await host.files.read(guardPaths.role))?.trim() === 'replica')
    return { role: 'replica', closed, alone: false, inStep: /^master_link_status:up/m.test(said), lagSeconds: number(/^master_link_down_since_seconds:(\d+)/m) ?? number(/^master_last_io_seconds_ago:(\d+)/m) };
  const alone = (await host.files.stat(guardPaths.alone)) !== null;
  const lagSeconds = number(/^slave\d+:.*\bstate=online\b.*\blag=(\d+)/m);
  return { role: 'primary', closed, alone, inStep: lagSeconds !== null && number(/^min_slaves_good_slaves:(\d+)/m) !== 0, lagSeconds };
} // prettier-ignore

/** Whether the object store answers this node: it refuses who has no key, and that is an answer. */
async function objectsOf(host: Host, { url, told }: { url: string; told: MountTold | null }): Promise<NodeStorage['objects']> {
  const trusted = told?.environment.SSL_CERT_FILE; // as JuiceFS; else the machine's own store
  const ca = trusted === undefined ? undefined : ((await host.files.read(trusted)) ?? undefined);
  const got = await host.network.get(url, { timeoutMs: answerMs, ...(ca !== undefined && { ca }) }).catch(() => null);
  if (got === null) return { answers: false, words: `${url} does not answer within ${answerMs / 1000} s, or has another certificate` };
  return { answers: got.status < 500, words: `it answers (${got.status})` };
}
