import { z } from 'zod';
import { DistributionKind, Role } from './cluster-spec';
import { NodeName, Sha256 } from './names';

export const Phase = z.enum(['precheck', 'download', 'prepare', 'install', 'activate']).meta({ id: 'Phase' });
export type Phase = z.infer<typeof Phase>;
export const phases = Phase.options;
export const Layer = z.enum(['native', 'orchestration', 'containerized']).meta({ id: 'Layer' });
export type Layer = z.infer<typeof Layer>;

/** `node/task` or `node/task@qualifier`; the node of a cluster-wide step is `cluster`. */
export const StepKey = z.string().regex(/^[a-z0-9-]+\/[a-z0-9.-]+(@[A-Za-z0-9._-]+)?$/);
export type StepKey = string;

/** A value that an earlier step of the plan gives: `path` is a dotted path into that step's output. */
export interface OutputRef {
  $output: StepKey;
  path: string;
}
/** A secret by name; the server resolves it when the order is sent. Sources: minted per attempt, or sealed in the store. */
export interface SecretRef {
  $secret: string;
}
const has = (v: unknown, k: string): boolean => typeof v === 'object' && v !== null && k in v;
export const isOutputRef = (v: unknown): v is OutputRef => has(v, '$output');
export const isSecretRef = (v: unknown): v is SecretRef => has(v, '$secret');

/** run: check, apply, verify. undo: take back. check: look only. */
export const Action = z.enum(['run', 'undo', 'check']);
export type Action = z.infer<typeof Action>;

export const Step = z
  .strictObject({
    key: StepKey,
    task: z.string(),
    version: z.int().positive(),
    action: Action,
    phase: Phase,
    layer: Layer,
    node: NodeName.nullable(), // whose step it is, for grouping; null: the whole cluster's
    target: z.enum(['node', 'server']), // where it runs
    input: z.unknown(), // JSON; may hold OutputRef and SecretRef
    needs: z.array(StepKey),
    pool: z.string().nullable(),
    onFailure: z.enum(['hold-dependents', 'unwind']),
    title: z.string(), // one sentence for people
    timeoutMs: z.int().positive(),
    attempts: z.int().positive(),
  })
  .meta({ id: 'Step' });
export type Step = z.infer<typeof Step>;

export const PlanKind = z.enum(['install', 'add-node', 'remove-node', 'uninstall', 'finish', 'verify-storage', 'restore-storage', 'migrate-storage', 'commit-storage', 'rollback-storage', 'drill-storage', 'failover-storage', 'install-app', 'upgrade-app', 'rollback-app', 'stop-app', 'start-app', 'restart-app', 'remove-app']); // prettier-ignore
export type PlanKind = z.infer<typeof PlanKind>;
/** Runs that deal with nothing but the shared file system: the cluster itself stays as it is. */
export const ofStorage = (kind: PlanKind): boolean => kind.endsWith('-storage');
/** Runs that deal with one application. */
export const ofApps = (kind: PlanKind): boolean => kind.endsWith('-app');

export const Plan = z
  .strictObject({
    id: z.string(),
    kind: PlanKind,
    clusterId: z.string(),
    specVersion: z.int(),
    factsDigest: Sha256,
    catalogDigest: Sha256,
    distribution: z.strictObject({ kind: DistributionKind, version: z.string() }),
    nodes: z.array(z.strictObject({ name: NodeName, role: Role, nodeId: z.string().nullable() })), // nodeId null: not enrolled yet
    steps: z.array(Step),
    skipped: z.array(z.strictObject({ what: z.string(), because: z.string() })),
    absent: z.array(NodeName), // nodes of the spec that could not be reached when the plan was made: the run ends degraded
    warnings: z.array(z.string()),
  })
  .meta({ id: 'Plan' });
export type Plan = z.infer<typeof Plan>;
