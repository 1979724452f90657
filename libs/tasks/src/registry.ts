import { containerizedTasks } from './containerized';
import type { Task } from './define-task';
import * as nativeTasks from './native';
import { orchestrationTasks } from './orchestration';
import * as storageTasks from './storage';

/** All tasks by name. A name twice is a fault of the build. */
export const tasks: ReadonlyMap<string, Task> = index([
  ...Object.values(nativeTasks),
  ...Object.values(storageTasks),
  ...orchestrationTasks,
  ...containerizedTasks,
]);

function index(all: readonly Task[]): ReadonlyMap<string, Task> {
  const map = new Map<string, Task>();
  for (const task of all) {
    if (map.has(task.name)) throw new Error(`two tasks are named ${task.name}`);
    map.set(task.name, task);
  }
  return map;
}
/** @throws Error if this build has no such task. */
export function taskNamed(name: string): Task {
  const task = tasks.get(name);
  if (!task) throw new Error(`no task is named ${name}: the plan was made by another version`);
  return task;
}
