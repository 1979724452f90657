import type { NodeProbe, Opened, Seen, Tried, Try } from '@strata/host-ssh';
import type { PairCell } from '@strata/model';
import { nextSizes, type PairPlanNode, pathMtu, type PlannedPair, portVerdict } from '@strata/planner';

/** A machine with the probe at work on it. */
export interface Ready {
  node: PairPlanNode & { address: string };
  probe: Pick<NodeProbe, 'language' | 'close'> & { talk: Pick<NodeProbe['talk'], 'tries' | 'seen' | 'flow' | 'sync'> };
  opened: Opened;
}
export interface Prepared {
  ready: Map<string, Ready>;
  /** Why nothing can be tried from a machine, or not any more. */
  why: Map<string, string>;
}
export interface Pair extends PlannedPair {
  from: Ready['node'];
  to: Ready['node'];
}
const firstMs = 700;
const againMs = 1_200;
const errnoTooBig = 90;
export const errnoInUse = 98;
/** Tries of one machine at a time: each is an open socket there. */
const mostTries = 200;

function groupedBy<T, K>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
  const groups = new Map<K, T[]>();
  for (const one of all) {
    const group = groups.get(keyOf(one));
    if (group) group.push(one);
    else groups.set(keyOf(one), [one]);
  }
  return groups;
}

/** All machines at once, each its own tries at once, none more than {@link mostTries}. The answers by what was asked for; none of a machine that went away. */
async function tryAll<K>(at: Prepared, asked: readonly { from: string; key: K; try: Try }[], timeoutMs: number): Promise<Map<K, Tried>> {
  const found = new Map<K, Tried>();
  const byNode = groupedBy(asked, (a) => a.from);
  await Promise.all(
    [...byNode].map(async ([name, own]) => {
      const probe = at.ready.get(name)?.probe;
      if (!probe || at.why.has(name)) return;
      try {
        for (let i = 0; i < own.length; i += mostTries) {
          const some = own.slice(i, i + mostTries);
          const tried = await probe.talk.tries(some.map((a) => a.try), timeoutMs); // prettier-ignore
          some.forEach((a, j) => found.set(a.key, tried[j]!));
        }
      } catch (error) {
        at.why.set(name, error instanceof Error ? error.message : String(error));
      }
    }),
  );
  return found;
}

interface PortAsked {
  pair: Pair;
  port: Pair['ports'][number];
}
/** All pairs, tried: ports, and again those that did not answer; then the largest packet and the round trip. */
export async function cellsOf(pairs: readonly Pair[], at: Prepared, full: boolean): Promise<PairCell[]> {
  const ports = new Map(pairs.map((pair) => [pair, pair.ports.map((port): PortAsked => ({ pair, port }))]));
  const all = [...ports.values()].flat();
  const ask = (list: readonly PortAsked[], ms: number): Promise<Map<PortAsked, Tried>> =>
    tryAll(at, list.map((a) => ({ from: a.pair.from.name, key: a, try: { kind: a.port.proto, address: a.pair.to.address, port: a.port.port, sends: 3 } })), ms); // prettier-ignore
  const first = await ask(all, firstMs);
  // once more, and with more patience: nobody is to be refused for a packet that got lost
  const again = await ask(all.filter((a) => first.get(a)?.how !== 'ok'), againMs); // prettier-ignore
  const tried = (a: PortAsked): Tried | undefined => again.get(a) ?? first.get(a);
  const seen = await seenBy(at);
  const lines = await linesOf(pairs, { at, full, vxlan: (pair) => ports.get(pair)!.some((a) => a.port.proto === 'udp' && tried(a)?.how === 'ok') });
  return pairs.map((pair): PairCell => {
    const results = ports.get(pair)!.map((a) => ({ proto: a.port.proto, port: a.port.port, needed: a.port.needed, ...resultOf(a, tried(a), { at, seen }) }));
    const connects = ports.get(pair)!.flatMap((a) => (a.port.proto === 'tcp' && tried(a)?.how === 'ok' ? [tried(a)!.us] : []));
    const { mtu, rttUs, lossPercent } = lines.get(pair)!;
    const line = { mtu, rttUs: rttUs ?? (connects.length > 0 ? Math.min(...connects) : null), lossPercent: full ? lossPercent : null, mbit: null };
    return { from: pair.from.name, to: pair.to.name, ports: results, ...line, severity: null, remedies: [] };
  });
}

function resultOf({ pair, port }: PortAsked, tried: Tried | undefined, by: { at: Prepared; seen: ReadonlyMap<string, Seen[]> }): ReturnType<typeof portVerdict> {
  const gone = [pair.from.name, pair.to.name].find((name) => by.at.why.has(name));
  if (!tried || gone !== undefined) return { result: 'unknown', why: `it could not be tried: ${by.at.why.get(gone ?? pair.from.name) ?? 'no answer came'}` };
  const { opened } = by.at.ready.get(pair.to.name)!;
  const errno = opened.listeners.find((l) => l.proto === port.proto && l.port === port.port)?.errno;
  const listener = errno === 0 ? 'ours' : errno === errnoInUse ? 'held' : 'none';
  const isIt = (s: Seen): boolean => s.proto === port.proto && s.port === port.port && (s.proto === 'udp' ? s.from === pair.from.name : s.address === pair.from.address);
  return portVerdict(port.proto, tried, { listener, sniffs: opened.sniffs, seen: (by.seen.get(pair.to.name) ?? []).some(isIt) });
} // prettier-ignore

async function seenBy({ ready }: Prepared): Promise<Map<string, Seen[]>> {
  return new Map(await Promise.all([...ready].map(async ([name, r]) => [name, await r.probe.talk.seen().catch(() => [])] as const)));
}

interface Line {
  mtu: PairCell['mtu'];
  rttUs: number | null;
  lossPercent: number | null;
}
/** The largest packet and the round trip of each pair: on the port of the pod network where that answers, else by ping. */
async function linesOf(pairs: readonly Pair[], by: { at: Prepared; full: boolean; vxlan: (pair: Pair) => boolean }): Promise<Map<Pair, Line>> {
  const tried = new Map(pairs.map((p) => [p, new Map<number, boolean>()]));
  const told = new Set<Pair>();
  const to = (pair: Pair): Pick<Try, 'kind' | 'address' | 'port'> => ({ address: pair.to.address, ...(by.vxlan(pair) ? { kind: 'udp', port: 8472 } : { kind: 'icmp', port: 0 }) });
  const pings = pairs.flatMap((pair) => Array.from({ length: by.full ? 20 : 5 }, (_, i) => ({ from: pair.from.name, key: { pair }, try: { ...to(pair), size: 84, delayMs: i * 10 } })));
  const answers = groupedBy([...(await tryAll(by.at, pings, firstMs))], ([key]) => key.pair);
  for (;;) {
    const asked = pairs.flatMap((pair) => nextSizes(pair.from.link, tried.get(pair)!).map((size) => ({ from: pair.from.name, key: { pair, size }, try: { ...to(pair), size, sends: 4 } })));
    if (asked.length === 0) break;
    const found = await tryAll(by.at, asked, firstMs);
    for (const { key } of asked) {
      const result = found.get(key);
      tried.get(key.pair)!.set(key.size, result?.how === 'ok');
      if (result?.how === 'no' && result.errno === errnoTooBig && key.size <= key.pair.from.link) told.add(key.pair);
    }
  }
  return new Map(pairs.map((pair) => {
    const own = (answers.get(pair) ?? []).map(([, t]) => t);
    const times = own.filter((t) => t.how === 'ok').map((t) => t.us).sort((a, b) => a - b);
    return [pair, {
      mtu: { path: pathMtu(tried.get(pair)!), link: pair.from.link, told: told.has(pair) },
      rttUs: times[Math.floor(times.length / 2)] ?? null,
      lossPercent: times.length > 0 ? Math.round((100 * (own.length - times.length)) / own.length) : null,
    }] as const;
  }));
} // prettier-ignore
