import type { Host, ProgramResult, RunOptions } from './ports/host';
import { TaskError } from './task-error';

const lastLines = (text: string, n: number): string[] => text.trimEnd().split('\n').slice(-n).filter(Boolean);

/** Runs a program that must succeed. @throws TaskError `program-failed` with its last lines of output. */
export async function must(host: Host, argv: readonly [string, ...string[]], options?: RunOptions & { remedy?: string }): Promise<ProgramResult> {
  const result = await host.programs.run(argv, options);
  if (result.code === 0) return result;
  throw new TaskError('program-failed', `\`${argv.join(' ')}\` ended with exit status ${result.code}`, {
    remedy: options?.remedy ?? 'read its output in the log of this step, mend the cause, then retry the step',
    retry: true,
    detail: lastLines(result.stderr || result.stdout, 12),
  });
}
