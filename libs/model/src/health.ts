import { z } from 'zod';
import { Layer } from './plan';

/** One thing that has to be well: what it is, and what is so, or why it is not well. */
export const HealthPart = z.object({ what: z.string(), ok: z.boolean(), words: z.string() }).meta({ id: 'HealthPart' });
export type HealthPart = z.infer<typeof HealthPart>;

/** A cluster by its three layers, as it is now. It is healthy when every part is well: agents and mounts, Kubernetes, each component with its gates. */
export const ClusterHealth = z
  .object({ cluster: z.string(), healthy: z.boolean(), layers: z.array(z.object({ layer: Layer, ok: z.boolean(), parts: z.array(HealthPart) })) })
  .meta({ id: 'ClusterHealth' });
export type ClusterHealth = z.infer<typeof ClusterHealth>;
