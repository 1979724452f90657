import { isOutputRef, isSecretRef, type OutputRef, type SecretRef } from '@strata/model';
import type { RunView } from './view';

/** A reference to an output that is not there. */
export class UnresolvedOutput extends Error {
  readonly remedy = 'plan again: server and agent may be of different versions';
  constructor(
    readonly ref: OutputRef,
    why: string,
  ) {
    super(`the output ${ref.path} of step ${ref.$output} cannot be used: ${why}`);
    this.name = 'UnresolvedOutput';
  }
}

/** The input with each OutputRef replaced by what its step gave; SecretRefs stay as they are. @throws UnresolvedOutput naming step and path */
export function resolveInput(input: unknown, view: RunView): unknown {
  return walk(input, (ref) => lookUp(ref, view));
}

/** All secret references of an input, each name once, in order of appearance. */
export function secretRefs(input: unknown): SecretRef[] {
  const found = new Map<string, SecretRef>();
  walk(input, (ref) => ref, (ref) => void found.set(ref.$secret, ref)); // prettier-ignore
  return [...found.values()];
}

function walk(value: unknown, output: (ref: OutputRef) => unknown, secret?: (ref: SecretRef) => void): unknown {
  if (isOutputRef(value)) return output(value);
  if (isSecretRef(value)) {
    secret?.(value);
    return value;
  }
  if (Array.isArray(value)) return value.map((item) => walk(item, output, secret));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, output, secret)]));
}

function lookUp(ref: OutputRef, view: RunView): unknown {
  const step = view.steps.get(ref.$output);
  if (step === undefined) throw new UnresolvedOutput(ref, 'the plan has no such step');
  if (step.state !== 'done') throw new UnresolvedOutput(ref, `the step is ${step.state}`);
  let value: unknown = step.result?.output;
  for (const name of ref.path === '' ? [] : ref.path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) throw new UnresolvedOutput(ref, `its output has no ${name}`);
    value = (value as Record<string, unknown>)[name];
  }
  if (value === undefined) throw new UnresolvedOutput(ref, 'it gave none');
  return value;
}
