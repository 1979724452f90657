import type { Task } from '../define-task';
import { manifestsApply } from './manifests-apply';

export * from './manifests-apply';

/** The tasks of the containerized layer. */
export const containerizedTasks: readonly Task[] = [manifestsApply];
