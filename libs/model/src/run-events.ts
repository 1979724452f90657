import { z } from 'zod';
import { AppWish } from './apps';
import { Finding, OrderResult, Outcome } from './order';
import { PairMatrix } from './pair-matrix';
import { Action, Plan, PlanKind } from './plan';
import { RestoreFrom } from './storage';

/** How a run ended. refused: a precheck said no, nothing was changed. */
export const RunResult = z.enum(['done', 'failed', 'degraded', 'cancelled', 'unwound', 'refused', 'planned']).meta({ id: 'RunResult' });
export type RunResult = z.infer<typeof RunResult>;

/** What the operator asked for when the run was made. */
export const RunIntent = z.strictObject({
  kind: PlanKind,
  nodes: z.array(z.string()).default([]), // add-node, remove-node: which; migrate-storage: whose tree becomes the shared one
  until: z.enum(['precheck', 'download', 'prepare', 'install', 'activate']).optional(),
  dryRun: z.boolean().default(false),
  force: z.boolean().default(false), // remove-node, uninstall: also if the node cannot be reached; failover-storage: also with a replica that was not in step for long
  from: RestoreFrom.optional(), // restore-storage; the last dump unless told otherwise
  deleteData: z.boolean().optional(), // uninstall: the data of the shared file system goes as well
  app: AppWish.optional(), // install-app and all others of an application: which, and what is asked of it
});
export type RunIntent = z.infer<typeof RunIntent>;

const order = { attempt: z.int(), epoch: z.int(), action: Action };
/**
 * The bodies of ledger events, by kind. Append-only: a new server may add kinds, folding ignores the unknown.
 * `step_key`, `node` and `at` are columns of the event, not of its body.
 */
export const eventBodies = {
  RunRequested: z.strictObject({ intent: RunIntent, specVersion: z.int(), epoch: z.int(), by: z.string() }),
  NodeChecked: z.strictObject({ findings: z.array(Finding), via: z.enum(['ssh', 'agent']), reachable: z.boolean(), message: z.string().default('') }),
  PairsProbed: z.strictObject({ matrix: PairMatrix, findings: z.array(Finding) }),
  RunPlanned: z.strictObject({ plan: Plan }),
  OrderReleased: z.strictObject({ ...order, orderId: z.string() }),
  OrderWaiting: z.strictObject({ ...order, reason: z.string() }), // the node is offline: still to be sent, no attempt spent
  OrderStarted: z.strictObject({ ...order }), // accepted by the agent, or begun by the server
  OrderProgressed: z.strictObject({ ...order, fraction: z.number().nullable(), note: z.string() }),
  OrderSettled: z.strictObject({ ...order, outcome: Outcome, result: OrderResult, late: z.boolean().default(false) }),
  StepRetried: z.strictObject({ by: z.string() }), // the operator asks for one more go
  NodeAbsent: z.strictObject({ lastSeenMs: z.number(), waitedMs: z.number() }),
  NodeReturned: z.strictObject({}),
  CancelRequested: z.strictObject({ by: z.string(), reason: z.string() }),
  UnwindStarted: z.strictObject({ because: z.string() }),
  RunHeld: z.strictObject({ because: z.string() }),
  RunResumed: z.strictObject({ by: z.string(), epoch: z.int() }),
  RunEnded: z.strictObject({ result: RunResult, because: z.string() }),
} as const;
export type EventKind = keyof typeof eventBodies;
export const eventKinds = Object.keys(eventBodies) as EventKind[];
export type EventBody<K extends EventKind> = z.infer<(typeof eventBodies)[K]>;

interface EventHead {
  runId: string;
  seq: number; // from 1, without holes
  at: number; // ms since 1970, server clock
  step: string | null;
  node: string | null;
}
/** One line of the ledger. */
export type RunEvent = { [K in EventKind]: EventHead & { kind: K; body: EventBody<K> } }[EventKind];
/** A line that is about to be appended: the ledger gives runId, seq and at. */
export type NewEvent = { [K in EventKind]: { kind: K; body: EventBody<K>; step?: string | null; node?: string | null } }[EventKind];

export const RunEventSchema = z.object({
  runId: z.string(),
  seq: z.int(),
  at: z.number(),
  step: z.string().nullable(),
  node: z.string().nullable(),
  kind: z.string(),
  body: z.unknown(),
});
/** Reads a ledger line from outside. Unknown kinds give `null`: a newer server never breaks an older reader. */
export function parseEvent(value: unknown): RunEvent | null {
  const head = RunEventSchema.parse(value);
  if (!(head.kind in eventBodies)) return null;
  const body = eventBodies[head.kind as EventKind].parse(head.body);
  return { ...head, kind: head.kind, body } as RunEvent;
}
