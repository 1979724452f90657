import { z } from 'zod';
import { AddNodeBody } from './api';
import { Facts } from './facts';
import { Cidr } from './names';

/** Machines that belong to no cluster yet, to be looked at over SSH. Nothing of it is kept, nothing on them is changed. */
export const LookAtMachines = z.strictObject({ machines: z.array(AddNodeBody).min(1).max(100) }).meta({ id: 'LookAtMachines' });
export type LookAtMachines = z.infer<typeof LookAtMachines>;

export const MachineSeen = z
  .object({
    name: z.string(), // as it was asked
    facts: Facts.nullable(), // null: see `failure`
    hostKey: z.object({ fingerprint: z.string(), accepted: z.enum(['fingerprint', 'known-hosts', 'new']) }).nullable(),
    /** Addresses that a node could have there; the first is the one to take. */
    addresses: z.array(z.object({ interface: z.string(), address: z.string() })),
    failure: z.object({ code: z.string(), message: z.string(), remedy: z.string() }).nullable(),
  })
  .meta({ id: 'MachineSeen' });
export type MachineSeen = z.infer<typeof MachineSeen>;

/** What was seen, in the order of the question, and ranges that touch no route of any of these machines; null when none of ours is free. */
export const MachinesSeen = z
  .object({ machines: z.array(MachineSeen), ranges: z.object({ podCidr: Cidr, serviceCidr: Cidr }).nullable() })
  .meta({ id: 'MachinesSeen' });
export type MachinesSeen = z.infer<typeof MachinesSeen>;
