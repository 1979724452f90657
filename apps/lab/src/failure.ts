/** Exit codes of `strata lab`: 0 done, 1 failed, 2 usage or missing rights, 124 a deadline passed (DESIGN section 11). */
export type ExitCode = 1 | 2 | 124;

/** An error for people: what was tried and what happened (`message`), what to do next (`remedy`), and the first `cause`. */
export class LabFailure extends Error {
  readonly remedy: string;
  readonly exitCode: ExitCode;

  constructor(message: string, options: { remedy: string; exitCode?: ExitCode; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'LabFailure';
    this.remedy = options.remedy;
    this.exitCode = options.exitCode ?? 1;
  }
}

/** The text of anything thrown. */
export const textOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));

/** What the command line prints for an error: message, causes, remedy; one line each. */
export function failureText(thrown: unknown): string {
  const lines = [`strata lab: ${textOf(thrown)}`];
  for (let cause = thrown instanceof Error ? thrown.cause : undefined; cause !== undefined; cause = cause instanceof Error ? cause.cause : undefined) {
    lines.push(`  cause: ${textOf(cause)}`);
  }
  if (thrown instanceof LabFailure) lines.push(`  next:  ${thrown.remedy}`);
  return lines.join('\n');
}
