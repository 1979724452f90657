import { z } from 'zod';

/** A port that machines of a cluster must reach on each other, and what for. */
export const PairPort = z.object({ proto: z.enum(['tcp', 'udp']), port: z.int(), what: z.string() }).meta({ id: 'PairPort' });
export type PairPort = z.infer<typeof PairPort>;

/**
 * What became of a try. open: it answered. arrives: it reached the machine, and whoever holds the port there does not talk to us.
 * dropped: it reached the machine, whose own firewall kept it. refused: something answered no. lost: it never arrived.
 * unsent: the sending machine itself did not let it out. unknown: it could not be tried.
 */
export const Probed = z.enum(['open', 'arrives', 'dropped', 'refused', 'lost', 'unsent', 'unknown']).meta({ id: 'Probed' });
export type Probed = z.infer<typeof Probed>;

export const PairCell = z
  .object({
    from: z.string(),
    to: z.string(),
    ports: z.array(
      z.object({
        proto: z.enum(['tcp', 'udp']),
        port: z.int(),
        result: Probed,
        needed: z.boolean(), // with the roles of the spec; a port that is not needed is told for information
        why: z.string(), // empty when open
      }),
    ),
    /** Largest packet that gets through, in bytes; null: not known. `link`: what the sender's own interface allows. `told`: the network says so to the sender. */
    mtu: z.object({ path: z.int().nullable(), link: z.int(), told: z.boolean() }),
    rttUs: z.int().nullable(),
    lossPercent: z.number().nullable(),
    mbit: z.number().nullable(), // null: not measured
    severity: z.enum(['blocker', 'warning', 'info']).nullable(), // of the worst finding that is about this pair
    remedies: z.array(z.string()),
  })
  .meta({ id: 'PairCell' });
export type PairCell = z.infer<typeof PairCell>;

/** How long small writes took to be safe on disk: 2,300 bytes each, as etcd writes. */
export const SyncFigures = z.object({ path: z.string(), writes: z.int(), p50Us: z.int(), p99Us: z.int(), maxUs: z.int() }).meta({ id: 'SyncFigures' });
export type SyncFigures = z.infer<typeof SyncFigures>;

export const PairNode = z
  .object({
    name: z.string(),
    role: z.string(),
    address: z.string().nullable(), // null: it is not clear which
    system: z.string(), // for people: system, kernel, processors, memory
    probe: z.enum(['perl', 'python3']).nullable(), // null: nothing could be tried from here
    why: z.string(), // why nothing could
    taken: z.array(z.object({ proto: z.enum(['tcp', 'udp']), port: z.int() })), // ports that somebody holds already
    disk: SyncFigures.nullable(),
  })
  .meta({ id: 'PairNode' });
export type PairNode = z.infer<typeof PairNode>;

/** Who reaches whom on what, tried with temporary listeners before anything is installed. */
export const PairMatrix = z
  .object({
    full: z.boolean(), // false: only what the roles need, and no bandwidth
    tookMs: z.int(),
    ports: z.array(PairPort),
    nodes: z.array(PairNode),
    pairs: z.array(PairCell),
  })
  .meta({ id: 'PairMatrix' });
export type PairMatrix = z.infer<typeof PairMatrix>;

/** etcd asks for less than 10 ms at the 99th percentile; other nodes bear more. */
export const slowSyncMs = (role: string): number => (role === 'control-plane' ? 10 : 100);
export const isSlowDisk = (role: string, disk: SyncFigures): boolean => disk.p99Us / 1000 > slowSyncMs(role);

/** Whether traffic passes, as far as can be told. */
export const passes = (result: Probed): boolean => result === 'open' || result === 'arrives';
