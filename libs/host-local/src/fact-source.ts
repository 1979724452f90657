import { readdir, readFile } from 'node:fs/promises';
import type { FactSource } from '@strata/tasks';
import { TaskError } from '@strata/tasks';
import { runProgram } from './programs';

/** Facts of the machine that this process runs on. */
export const localSource: FactSource = {
  read: (path) => readFile(path, 'utf8').catch(() => null),
  list: (path) => readdir(path).catch(() => []),
  run: async (argv) => {
    const [program, ...rest] = argv;
    if (program === undefined) return null;
    return runProgram([program, ...rest], { timeoutMs: 20_000 }).catch((error: unknown) => {
      if (error instanceof TaskError) return null; // no such program, or it hangs: an unknown fact, not a failure
      throw error;
    });
  },
};
