import { z } from 'zod';
import { ClusterSpec, NodeSpec, Role } from './cluster-spec';
import { Finding } from './order';
import { RunIntent, RunResult } from './run-events';
import { MountHealth } from './storage-health';
import { MetadataPassword } from './storage-metadata';
import { BucketKey } from './storage-s3';

/** Secrets of first contact: sent once over TLS or loopback, sealed at once, erased when the node is enrolled. */
export const SshSecrets = z
  .strictObject({
    password: z.string().optional(),
    sudoPassword: z.string().optional(),
    privateKey: z.string().optional(),
    passphrase: z.string().optional(),
    bastionPrivateKey: z.string().optional(),
    bastionPassword: z.string().optional(),
    agentSocket: z.string().regex(/^\//, 'must be an absolute path').optional(), // of the caller's ssh agent, on the control host
    knownHosts: z.array(z.string()).default([]),
  })
  .meta({ id: 'SshSecrets' });
export type SshSecrets = z.infer<typeof SshSecrets>;

export const ApplyClusterBody = z
  .strictObject({
    spec: ClusterSpec,
    secrets: z.record(z.string(), SshSecrets).default({}), // by node name
    bucketKey: BucketKey.optional(), // of `storage.objects.kind: s3`; without it the one that was sent before stays
    metadataPassword: MetadataPassword.optional(), // of `storage.metadata.kind: external`; the same
  })
  .meta({ id: 'ApplyClusterBody' });
export type ApplyClusterBody = z.infer<typeof ApplyClusterBody>;
/** `draft`: a dry run of a spec that is not kept: what it would do, while the cluster's own spec stays as it is. */
export const StartRunBody = z
  .strictObject({ intent: RunIntent, draft: ApplyClusterBody.optional() })
  .refine((b) => b.draft === undefined || b.intent.dryRun || b.intent.kind === 'migrate-storage', {
    path: ['draft'],
    message: 'a draft is only for a dry run (set intent.dryRun) or a migration of the storage',
  })
  .meta({ id: 'StartRunBody' });
export type StartRunBody = z.infer<typeof StartRunBody>;
export const AddNodeBody = z.strictObject({ node: NodeSpec, secrets: SshSecrets.optional() }).meta({ id: 'AddNodeBody' });
export type AddNodeBody = z.infer<typeof AddNodeBody>;
/** `runId` is the run that adds the node; null while `waitsFor`, the run that holds the cluster's lease, is at work: then one starts by itself after it. */
export const NodeAdded = z
  .object({ clusterId: z.string(), node: z.string(), runId: z.string().nullable(), waitsFor: z.string().nullable() })
  .meta({ id: 'NodeAdded' });
export type NodeAdded = z.infer<typeof NodeAdded>;

/** A move of the storage from `local` to `juicefs` that is neither committed nor rolled back. `stopped`: its run ended half-way, and can be resumed. */
export const StorageMigration = z
  .object({ state: z.enum(['copying', 'to-commit', 'committing', 'rolling-back']), from: z.string(), runId: z.string(), stopped: z.boolean() })
  .meta({ id: 'StorageMigration' });
export type StorageMigration = z.infer<typeof StorageMigration>;

/** `onlyPlanned`: nothing but looks was asked of it so far (plans and prechecks), and no machine of it has an agent. */
export const ClusterView = z
  .object({
    id: z.string(),
    name: z.string(),
    specVersion: z.int(),
    spec: ClusterSpec,
    state: z.enum(['new', 'installing', 'ready', 'degraded', 'failed', 'uninstalled']),
    openRun: z.string().nullable(),
    onlyPlanned: z.boolean().default(false),
    migration: StorageMigration.nullable().default(null),
    createdAt: z.string(),
  })
  .meta({ id: 'ClusterView' });
export type ClusterView = z.infer<typeof ClusterView>;

export const NodeView = z
  .object({
    id: z.string(),
    clusterId: z.string(),
    name: z.string(),
    role: Role,
    address: z.string().nullable(),
    state: z.enum(['planned', 'enrolled', 'removed']),
    online: z.boolean(),
    lastSeenAt: z.string().nullable(),
    agentVersion: z.string().nullable(),
    skewMs: z.number().nullable(),
    hostname: z.string().nullable(),
    os: z.string().nullable(),
    storage: MountHealth.nullish(), // of its shared mount, while its agent is online
  })
  .meta({ id: 'NodeView' });
export type NodeView = z.infer<typeof NodeView>;

export const RunSummary = z
  .object({
    id: z.string(),
    clusterId: z.string(),
    cluster: z.string(),
    intent: RunIntent,
    state: z.enum(['checking', 'running', 'held', 'unwinding', 'ended']),
    result: RunResult.nullable(),
    because: z.string(),
    steps: z.object({ total: z.int(), done: z.int(), changed: z.int(), failed: z.int() }),
    startedAt: z.string(),
    endedAt: z.string().nullable(),
  })
  .meta({ id: 'RunSummary' });
export type RunSummary = z.infer<typeof RunSummary>;

/** Why a step does not move. */
export const Wait = z
  .object({ step: z.string(), for: z.string(), since: z.number().nullable(), endedBy: z.string() }) // for: what it waits for; endedBy: what would end it
  .meta({ id: 'Wait' });
export type Wait = z.infer<typeof Wait>;

export const RunStarted = z.object({ runId: z.string(), clusterId: z.string() }).meta({ id: 'RunStarted' });
export type RunStarted = z.infer<typeof RunStarted>;
export const JoinCommand = z.object({ command: z.string(), token: z.string(), expiresAt: z.string(), node: z.string() }).meta({ id: 'JoinCommand' });
export type JoinCommand = z.infer<typeof JoinCommand>;
/** A step that is under way: since when (ms since 1970; null while its order is on its way), and what it says of itself. */
export const Running = z
  .object({ step: z.string(), title: z.string(), since: z.number().nullable(), fraction: z.number().nullable(), note: z.string() })
  .meta({ id: 'Running' });
export type Running = z.infer<typeof Running>;
/** A run with what is under way in it, what waits and why. */
export const RunDetails = RunSummary.extend({ running: z.array(Running).default([]), waits: z.array(Wait) }).meta({ id: 'RunDetails' });
export type RunDetails = z.infer<typeof RunDetails>;
/** Newest first; `next` is the cursor of the page after this one, null on the last. */
export const RunPage = z.object({ runs: z.array(RunSummary), next: z.string().nullable() }).meta({ id: 'RunPage' });
export type RunPage = z.infer<typeof RunPage>;
/** Log lines of a step, oldest first; `next` is the `after` that reads on. `at` in ms since 1970. */
export const StepLog = z
  .object({
    lines: z.array(z.object({ id: z.string(), attempt: z.int(), at: z.number(), stream: z.string(), text: z.string() })),
    next: z.string().nullable(),
  })
  .meta({ id: 'StepLog' });
export type StepLog = z.infer<typeof StepLog>;
/** What this server is. */
export const ServerVersion = z.object({ version: z.string(), agentVersion: z.string(), epoch: z.int() }).meta({ id: 'ServerVersion' });
export type ServerVersion = z.infer<typeof ServerVersion>;

/** RFC 9457, with the remedy. */
export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    remedy: z.string(),
    code: z.string(),
    findings: z.array(Finding).optional(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Problem' });
export type Problem = z.infer<typeof Problem>;

/** CLI exit codes (DESIGN section 11). */
export const exitCodes = { done: 0, failed: 1, usage: 2, precheck: 3, degraded: 4, busy: 5, timeout: 124, interrupted: 130 } as const;
