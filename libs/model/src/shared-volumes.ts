import { z } from 'zod';
import { PlainPath } from './names';

/** The StorageClass whose volumes are folders of the shared view, and who provides them. */
export const sharedClass = { name: 'strata-shared', provisioner: 'strata.local/shared' } as const;
export const gibibyte = 2 ** 30;

/** Whose volume it is: a claim of Kubernetes. */
export const ClaimId = z.strictObject({
  namespace: z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/),
  name: z.string().regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/),
  uid: z.string().regex(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/),
}); // prettier-ignore
export type ClaimId = z.infer<typeof ClaimId>;
/** Its folder, below the root of the shared view. No two claims ever have the same. */
export const volumeFolder = ({ namespace, name, uid }: ClaimId): string => `/volumes/${namespace}/${name.slice(0, 200)}-${uid}`;

/**
 * What an agent is asked to make so. `there`: the folder exists with this quota; `seen`: this node's mount keeps that quota (it only looks);
 * `gone`: neither folder nor quota.
 */
export const VolumeAsk = z.strictObject({
  path: PlainPath,
  claim: ClaimId,
  gib: z
    .int()
    .min(1)
    .max(2 ** 30),
  want: z.enum(['there', 'seen', 'gone']),
});
export type VolumeAsk = z.infer<typeof VolumeAsk>;
/** How much is in the folders of these claims. */
export const VolumesAsk = z.strictObject({ path: PlainPath, claims: z.array(ClaimId).max(5_000) });
export type VolumesAsk = z.infer<typeof VolumesAsk>;
export const VolumeUse = z.object({ uid: z.string(), size: z.number(), used: z.number() }); // bytes; the quota, and what counts against it

/** A volume of the shared view as the status shows it. */
export const SharedVolume = z
  .object({
    namespace: z.string(),
    claim: z.string(),
    volume: z.string(),
    phase: z.string(), // of the PersistentVolume
    size: z.number(), // bytes that it may hold
    used: z.number().nullable(), // null where no node could be asked
  })
  .meta({ id: 'SharedVolume' });
export type SharedVolume = z.infer<typeof SharedVolume>;
