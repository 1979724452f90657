import type { Action, OutputRef, Phase, Step, StepKey } from '@strata/model';
import type { Task, TaskOf } from '@strata/tasks';

/** An input in which any value may be one that an earlier step gives. */
export type WithRefs<T> =
  | OutputRef
  | (T extends string | number | boolean | null | undefined
      ? T
      : T extends readonly (infer E)[]
        ? readonly WithRefs<E>[]
        : T extends object
          ? { [K in keyof T]: WithRefs<T[K]> }
          : T);

export interface StepOptions {
  /** Tells two steps of one task on one node apart. */
  as?: string;
  /** Besides what the line itself waits for. */
  needs?: readonly (StepKey | Line)[];
  title?: string;
  /** Instead of the task's own number. */
  attempts?: number;
}
/** How a plan's steps are put together. A step waits for its line's last one and for what it names; there are no barriers. */
export class Steps {
  readonly all: Step[] = [];
  private current: Phase = 'precheck';

  constructor(private readonly onFailure: Step['onFailure']) {}

  /** The label of all steps from here on. */
  phase(phase: Phase): void {
    this.current = phase;
  }
  /** A line of a node's steps, or of the whole cluster's (`null`), one after the other. */
  line(node: string | null, ...after: (StepKey | Line)[]): Line {
    return new Line(this, node, after);
  }
  add(step: {
    node: string | null;
    task: Task;
    input: unknown;
    needs: readonly StepKey[];
    as?: string;
    title?: string;
    action?: Action;
    attempts?: number;
  }): StepKey {
    const { task } = step;
    const key = `${step.node ?? 'cluster'}/${task.name}${step.as === undefined ? '' : `@${step.as}`}`;
    this.all.push({
      key, task: task.name, version: task.version, action: step.action ?? 'run', phase: this.current, layer: task.layer, node: step.node, target: task.on,
      input: step.input, needs: [...new Set(step.needs)], pool: task.pool ?? null, onFailure: this.onFailure, title: step.title ?? task.title,
      timeoutMs: task.timeoutMs, attempts: step.attempts ?? task.attempts,
    }); // prettier-ignore
    return key;
  }
}

/** Steps that follow each other on one node. */
export class Line {
  private ends: StepKey[];

  constructor(
    private readonly steps: Steps,
    readonly node: string | null,
    after: readonly (StepKey | Line)[],
  ) {
    this.ends = keysOf(after);
  }
  /** What the next step waits for. */
  get last(): readonly StepKey[] {
    return this.ends;
  }
  step<I>(task: TaskOf<I>, input: WithRefs<I>, options: StepOptions = {}): this {
    const needs = [...this.ends, ...keysOf(options.needs ?? [])];
    this.ends = [this.steps.add({ node: this.node, task, input, needs, as: options.as, title: options.title, attempts: options.attempts })];
    return this;
  }
  /** Another line of the same node that begins where this one is now. */
  fork(): Line {
    return new Line(this.steps, this.node, this.ends);
  }
  /** From here on the line also waits for these. */
  after(...others: (StepKey | Line)[]): this {
    this.ends = [...new Set([...this.ends, ...keysOf(others)])];
    return this;
  }
}
const keysOf = (of: readonly (StepKey | Line)[]): StepKey[] => of.flatMap((o) => (typeof o === 'string' ? [o] : [...o.last]));

/** The artifact that the plan's own `artifact.obtain` step of this name gives. */
export const artifact = (name: string): OutputRef => ({ $output: `cluster/artifact.obtain@${name}`, path: 'artifact' });
export const obtaining = (names: readonly string[]): StepKey[] => names.map((name) => `cluster/artifact.obtain@${name}`);
