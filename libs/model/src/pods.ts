import { z } from 'zod';
import { Name } from './names';
import { Layer } from './plan';

/** Which pod. Unlike other names, a pod's may have dots: that of a machine may be in it. */
export const PodRef = z.strictObject({
  namespace: Name,
  name: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/, 'must be the name of a pod: lower-case letters, digits, "-" and "."'),
});
export type PodRef = z.infer<typeof PodRef>;

/** What a pod's containers use together, as they were measured last; rounded up. */
export const PodUsage = z.object({ cpuMillis: z.int(), memoryBytes: z.int() });
export type PodUsage = z.infer<typeof PodUsage>;

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
    usage: PodUsage.nullable(), // null: nobody measures in this cluster, or this pod not yet
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

/** What is new since the last word of a stream of pods, by the name of its event. */
export const PodNews = z
  .discriminatedUnion('event', [
    z.object({ event: z.literal('pods'), data: PodsView }), // all of them: what was heard before is over
    z.object({ event: z.literal('pod'), data: PodView }), // one that is new, or changed
    z.object({ event: z.literal('gone'), data: z.object({ namespace: z.string(), name: z.string() }) }),
    z.object({ event: z.literal('state'), data: PodsView.pick({ heardAt: true, behind: true }) }), // the server's watch fell behind, or caught up
  ])
  .meta({ id: 'PodNews' });
export type PodNews = z.infer<typeof PodNews>;

/** Something that Kubernetes tells of a pod. */
export const PodEvent = z
  .object({
    at: z.number(), // when it was seen last; ms since 1970, the cluster's clock
    firstAt: z.number(),
    type: z.enum(['Normal', 'Warning']),
    reason: z.string(), // one word: Scheduled, BackOff, FailedMount
    message: z.string(),
    count: z.int(), // how often it was seen
  })
  .meta({ id: 'PodEvent' });
export type PodEvent = z.infer<typeof PodEvent>;
/** What Kubernetes keeps of a pod's events (about an hour): the newest last. */
export const PodEventsView = z
  .object({ cluster: z.string(), namespace: z.string(), name: z.string(), events: z.array(PodEvent) })
  .meta({ id: 'PodEventsView' });
export type PodEventsView = z.infer<typeof PodEventsView>;
