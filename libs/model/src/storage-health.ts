import { z } from 'zod';
import { SharedVolume } from './shared-volumes';

/**
 * How a node's shared mount is. `waits`: its process answers, but what it asks (metadata, objects) does not; `stopped`: its unit was stopped by somebody.
 * In every state but `ok` nobody can work with the path.
 */
export const MountState = z.enum(['ok', 'waits', 'hangs', 'dead', 'gone', 'foreign', 'stopped']);
export type MountState = z.infer<typeof MountState>;

/** What an agent says of its shared mount with each heartbeat. */
export const MountHealth = z
  .object({
    path: z.string(),
    state: MountState,
    words: z.string(), // what is so, and what is being done about it
    latencyMs: z.number().nullable(), // of the last answer
    since: z.number(), // when it came into this state; the node's clock, ms
    remounts: z.int(), // how often the agent has begun it anew since it came into this state
  })
  .meta({ id: 'MountHealth' });
export type MountHealth = z.infer<typeof MountHealth>;

export const DiskSpace = z.object({ path: z.string(), size: z.number(), free: z.number() }).meta({ id: 'DiskSpace' }); // bytes
export type DiskSpace = z.infer<typeof DiskSpace>;

/** What an agent is asked to look at; no field of it is a command. */
export const StorageAsk = z.strictObject({
  path: z.string().regex(/^\//),
  objectsUrl: z.string().regex(/^https:\/\//).nullable(), // null: each machine has a tree of its own
}); // prettier-ignore
export type StorageAsk = z.infer<typeof StorageAsk>;

/** How one of two copies of the metadata stands to the other. */
export const MetadataCopy = z.object({
  role: z.enum(['primary', 'replica']), // what its data are, whatever the spec says
  closed: z.string().nullable(), // why it lets nobody in
  inStep: z.boolean(), // a primary: its replica has all; a replica: it has all of its primary
  alone: z.boolean(), // a primary that writes without its replica, which was never in step
  lagSeconds: z.number().nullable(), // since it heard of the other one; null where that is not known
});
export type MetadataCopy = z.infer<typeof MetadataCopy>;

/** What a node finds when it is asked; what it could not find out is null. */
export const NodeStorage = z.object({
  mount: MountHealth.nullable(),
  cache: z
    .object({
      path: z.string(),
      limit: z.number(),
      used: z.number().nullable(),
      hitRate: z.number().nullable(), // since the mount began; null before the first read
      staging: z.number().nullable(), // bytes that are not in the bucket yet
    })
    .nullable(),
  used: z.number().nullable(), // bytes of all files in the shared view
  closed: z.object({ mount: z.string().nullable(), metadata: z.string().nullable() }).nullish(), // why this node left the tree, why its metadata let nobody in, until a restore
  metadata: z.object({ used: z.number(), limit: z.number(), clients: z.int(), sessions: z.int(), copy: MetadataCopy.nullish() }).nullable(), // on its nodes only
  objects: z.object({ answers: z.boolean(), words: z.string() }).nullable(),
  external: z.object({ answers: z.boolean(), words: z.string() }).nullish(), // metadata of somebody else's, asked from this node; none where they are ours
  disks: z.array(DiskSpace), // of the tree or the cache, and of the services' data on their nodes
});
export type NodeStorage = z.infer<typeof NodeStorage>;

/** The storage of a cluster as it is now. */
export const StorageStatus = z
  .object({
    cluster: z.string(),
    kind: z.enum(['local', 'juicefs']),
    path: z.string(),
    metadataNode: z.string().nullable(),
    metadataReplica: z.string().nullable().default(null),
    metadataUrl: z.string().nullable().default(null), // where somebody else runs them: on no node then
    objectsNode: z.string().nullable(),
    nodes: z.array(
      NodeStorage.extend({
        name: z.string(),
        missing: z.string().nullable(), // why its agent could not be asked
        pods: z.array(z.string()), // that use the path while it cannot be used
      }),
    ),
    volumes: z.array(SharedVolume).default([]), // of claims of the class strata-shared
    problems: z.array(z.object({ node: z.string(), words: z.string(), remedy: z.string() })),
  })
  .meta({ id: 'StorageStatus' });
export type StorageStatus = z.infer<typeof StorageStatus>;
