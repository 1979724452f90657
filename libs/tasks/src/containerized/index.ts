import type { Task } from '../define-task';
import { appRestart, appStart, appStop } from './app-power';
import { appRemove } from './app-remove';
import { helmRelease } from './helm-release';
import { helmRollback } from './helm-rollback';
import { manifestsApply } from './manifests-apply';

export * from './app-power';
export * from './app-remove';
export { helmRelease } from './helm-release';
export * from './helm-rollback';
export * from './manifests-apply';
export { closedGate } from './gates';
export { noteLabels, noteOf, type ReleaseNote, releaseOfNote } from './release-note';
export { isStopped, isWorkload, stoppedNote } from './stopped';
export { troubleOf } from './trouble';

/** The tasks of the containerized layer. */
export const containerizedTasks: readonly Task[] = [manifestsApply, helmRelease, helmRollback, appStop, appStart, appRestart, appRemove];
