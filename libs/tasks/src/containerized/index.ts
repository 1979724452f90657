import type { Task } from '../define-task';
import { helmRelease } from './helm-release';
import { manifestsApply } from './manifests-apply';

export * from './helm-release';
export * from './manifests-apply';
export { closedGate } from './gates';
export { troubleOf } from './trouble';

/** The tasks of the containerized layer. */
export const containerizedTasks: readonly Task[] = [manifestsApply, helmRelease];
