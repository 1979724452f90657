import type { Finding, Layer, SecretRef } from '@strata/model';
import { milliseconds } from '@strata/model';
import { z } from 'zod';
import type { Clock } from './ports/clock';
import type { Cluster, Control } from './ports/cluster';
import type { Host } from './ports/host';

/** What a check says. `before` is found ahead of our first change and is the only thing that undo may rely on. */
export type CheckResult<B, O> =
  | { state: 'satisfied'; output: O; findings?: Finding[] }
  | { state: 'unsatisfied'; reason: string; before: B; findings?: Finding[] }
  | { state: 'unknown'; until: string; findings?: Finding[] }
  | { state: 'refused'; findings: Finding[] };

export interface Common {
  clock: Clock;
  /** Progress from 0 to 1, or null if it cannot be known, and what is being done. */
  progress: (fraction: number | null, note: string) => void;
  log: (line: string) => void;
  signal: AbortSignal;
  /** The control server's clock in ms, on a node by a clock that nobody sets; null before it is known. */
  serverNow?: () => number | null;
  /** The value of a secret of the input. It is never journaled; throws if the order came without it. */
  secret: (ref: SecretRef) => string;
}
export interface NodeContext<I> extends Common {
  host: Host;
  input: I;
}
export interface ServerContext<I> extends Common {
  cluster: Cluster;
  control: Control;
  input: I;
  /** The node this step belongs to, or null for the whole cluster's. */
  node: string | null;
}
export type Never = { never: string };

interface Body<C, I, B, O> {
  check(context: C & { input: I }): Promise<CheckResult<B, O>>;
  /** The only place that changes anything. Running it again after a crash half-way must end well. */
  apply(context: C & { input: I; before: B }): Promise<void>;
  /**
   * When "present" is not yet "works": it also does what makes a change take effect (a reload), since it runs again where an earlier life
   * of the order died after its last change. The check is repeated in any case and gives the output.
   */
  verify?(context: C & { input: I; before: B }): Promise<void>;
  undo: ((context: C & { input: I; before: B }) => Promise<void>) | Never;
}
interface Declaration<I extends z.ZodType, B extends z.ZodType, O extends z.ZodType> {
  name: string;
  version: number;
  layer: Layer;
  timeout: string;
  /** What the time-out counts from: the beginning, or the last sign of progress, for work that takes as long as a line or a package source needs. */
  timeoutFrom?: 'start' | 'progress';
  attempts: number;
  pool?: string;
  title: string; // what it does, for people: "containerd runs"
  input: I;
  before: B;
  output: O;
}
export interface Task extends Omit<Declaration<z.ZodType, z.ZodType, z.ZodType>, 'timeout' | 'timeoutFrom'> {
  on: 'node' | 'server';
  /** Whether apply exists: a precheck only looks. */
  changes: boolean;
  timeoutMs: number;
  timeoutFrom: 'start' | 'progress';
  body: Body<never, unknown, unknown, unknown>;
}
/** A task whose input type is known: planner entries are checked against it. */
export interface TaskOf<I, O = unknown> extends Task {
  readonly inputType?: I;
  readonly outputType?: O;
}

function declare(d: Declaration<z.ZodType, z.ZodType, z.ZodType>, on: 'node' | 'server', rest: { body: unknown; changes: boolean }): Task {
  return {
    name: d.name, version: d.version, layer: d.layer, attempts: d.attempts, pool: d.pool, title: d.title, input: d.input, before: d.before, output: d.output,
    on, timeoutMs: milliseconds(d.timeout), timeoutFrom: d.timeoutFrom ?? 'start', changes: rest.changes, body: rest.body as Task['body'],
  }; // prettier-ignore
}

/** A task that an agent runs on its own machine. */
export function defineTask<I extends z.ZodType, B extends z.ZodType, O extends z.ZodType>(
  d: Declaration<I, B, O> & Body<NodeContext<z.output<I>>, z.output<I>, z.output<B>, z.output<O>>,
): TaskOf<z.input<I>, z.output<O>> {
  return declare(d, 'node', { body: { check: d.check.bind(d), apply: d.apply.bind(d), verify: d.verify?.bind(d), undo: d.undo }, changes: true });
}
/** A task that the control server runs for the whole cluster. */
export function defineServerTask<I extends z.ZodType, B extends z.ZodType, O extends z.ZodType>(
  d: Declaration<I, B, O> & Body<ServerContext<z.output<I>>, z.output<I>, z.output<B>, z.output<O>>,
): TaskOf<z.input<I>, z.output<O>> {
  return declare(d, 'server', { body: { check: d.check.bind(d), apply: d.apply.bind(d), verify: d.verify?.bind(d), undo: d.undo }, changes: true });
}
/** A task that only looks: all it found, at once. Blockers refuse, everything else is satisfied. */
export function definePrecheck<I extends z.ZodType>(d: {
  name: string;
  version: number;
  title: string;
  timeout?: string;
  input: I;
  look(context: NodeContext<z.output<I>>): Promise<Finding[]>;
}): TaskOf<z.input<I>, Record<string, never>> {
  const check = async (c: NodeContext<z.output<I>>): Promise<CheckResult<never, object>> => {
    const findings = await d.look(c);
    return findings.some((f) => f.severity === 'blocker') ? { state: 'refused', findings } : { state: 'satisfied', output: {}, findings };
  };
  const nothing = async (): Promise<void> => Promise.resolve();
  return declare(
    {
      name: d.name,
      version: d.version,
      layer: 'native',
      timeout: d.timeout ?? '30s',
      attempts: 1,
      title: d.title,
      input: d.input,
      before: z.strictObject({}),
      output: z.strictObject({}),
    },
    'node',
    { body: { check, apply: nothing, undo: nothing }, changes: false },
  );
}

/** A field of an output that is a secret: it leaves the node only sealed to the server's key. */
export const sealed = (): z.ZodString => z.string().meta({ sealed: true });
/** A field of an input that is a secret: a reference in the plan, a value only beside the order. */
export const secretInput = (): z.ZodType<SecretRef> => z.strictObject({ $secret: z.string() }).meta({ secret: true });

/** Names of the top-level output fields that are `sealed()`. */
export function sealedFields(task: Task): string[] {
  const shape = (task.output as z.ZodObject).shape as Record<string, z.ZodType> | undefined;
  return Object.entries(shape ?? {})
    .filter(([, field]) => field.meta()?.sealed === true)
    .map(([name]) => name);
}
