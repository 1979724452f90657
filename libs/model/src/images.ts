import { z } from 'zod';

/**
 * How an image that a node is to have is there. `other`: its name leads to other content; `broken`: a part of its content was lost; `unpinned`: kubelet
 * may collect it. What is absent or broken is brought back by the node's agent within a minute (lost content: ten).
 */
export const NodeImage = z
  .object({ ref: z.string(), bytes: z.number(), state: z.enum(['here', 'absent', 'other', 'broken', 'unpinned']) })
  .meta({ id: 'NodeImage' });
export type NodeImage = z.infer<typeof NodeImage>;

/** The images of each node, as its agent sees them now. */
export const ImagesView = z
  .object({ cluster: z.string(), nodes: z.array(z.object({ name: z.string(), missing: z.string().nullable(), images: z.array(NodeImage) })) }) // missing: why nothing is known of this node
  .meta({ id: 'ImagesView' });
export type ImagesView = z.infer<typeof ImagesView>;
