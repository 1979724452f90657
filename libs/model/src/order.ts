import { z } from 'zod';
import { Action, StepKey } from './plan';

/** How an order ended. */
export const Outcome = z.enum(['satisfied', 'changed', 'failed', 'cancelled', 'lost', 'refused']).meta({ id: 'Outcome' });
export type Outcome = z.infer<typeof Outcome>;

/** What a check saw. `blocker`: the step or the install cannot go on. */
export const Finding = z
  .strictObject({
    severity: z.enum(['blocker', 'warning', 'info']),
    code: z.string().regex(/^[a-z0-9]+([.-][a-z0-9]+)*$/), // stable, e.g. port.taken
    message: z.string(), // what is so
    remedy: z.string(), // what to do next; empty for info
    node: z.string().optional(),
  })
  .meta({ id: 'Finding' });
export type Finding = z.infer<typeof Finding>;

/** Why an order failed. `retry`: the same order may succeed later without anybody's help. */
export const Failure = z
  .strictObject({
    code: z.string(), // stable: timeout, program-failed, verify-failed, check-refused, undo-failed, interrupted, internal, ...
    message: z.string(), // what was tried, what happened
    remedy: z.string(),
    cause: z.array(z.string()).default([]), // the chain of causes, outermost first; last lines of a program's stderr
    retry: z.boolean(),
  })
  .meta({ id: 'Failure' });
export type Failure = z.infer<typeof Failure>;

/** What an order leaves behind. Secret outputs are boxes sealed to the server (`box.v1.…` strings), never values. */
export const OrderResult = z.strictObject({
  findings: z.array(Finding).default([]),
  output: z.unknown().optional(),
  before: z.unknown().optional(), // what check found ahead of our first change
  failure: Failure.optional(),
  reason: z.string().optional(), // why it was unsatisfied: "containerd is 1.4, want 2.4"
  durationMs: z.number().optional(),
});
export type OrderResult = z.infer<typeof OrderResult>;

/** The signed part of an order: canonical JSON of this is what the agent verifies before it parses. */
export const OrderBody = z.strictObject({
  orderId: z.string(),
  clusterId: z.string(),
  runId: z.string(),
  step: StepKey,
  epoch: z.int().nonnegative(),
  attempt: z.int().positive(),
  task: z.string(),
  version: z.int().positive(),
  action: Action,
  input: z.unknown(), // resolved; secrets stay SecretRef, their values travel beside the body
  before: z.unknown().optional(), // undo only: what the ledger knows, if the agent's journal has lost it
  audience: z.string(), // node id
  nonce: z.string(),
  issuedAtMs: z.number(), // server clock
  validForMs: z.number(),
  timeoutMs: z.int().positive(),
});
export type OrderBody = z.infer<typeof OrderBody>;

/** One order of a step: `orderId` is stable over attempts, so that a repeated attempt is answered from the journal. */
export const orderIdOf = (runId: string, step: StepKey, action: Action): string => `${runId}.${step.replace(/[^A-Za-z0-9-]/g, '_')}.${action}`;

/** The context to which an agent seals a secret field of an order's output, and with which the server opens it. */
export const sealedOutputContext = (orderId: string, field: string): string => `${orderId}#${field}`;
