import { z } from 'zod';
import { Layer } from './plan';

/** A pod, for people: where it is, whose, and what is wrong with it. */
export const PodView = z
  .object({
    name: z.string(),
    namespace: z.string(),
    node: z.string().nullable(), // null: no node has taken it yet
    layer: Layer, // what Kubernetes itself stands on is of the orchestration layer
    release: z.string().nullable(), // Helm's, if it is of one
    state: z.string(), // in one word, as kubectl has it: Running, CrashLoopBackOff, Terminating
    ready: z.object({ containers: z.int(), of: z.int() }),
    restarts: z.int(),
    startedAt: z.number().nullable(), // ms since 1970, the cluster's clock
    trouble: z.string().nullable(), // container and cause
  })
  .meta({ id: 'PodView' });
export type PodView = z.infer<typeof PodView>;

/** All pods of a cluster, as a watch has them. */
export const PodsView = z
  .object({
    cluster: z.string(),
    heardAt: z.number(), // when the API said something last, or that nothing changed; ms since 1970, the server's clock
    behind: z.string().nullable(), // why this may not be the newest
    pods: z.array(PodView),
  })
  .meta({ id: 'PodsView' });
export type PodsView = z.infer<typeof PodsView>;
