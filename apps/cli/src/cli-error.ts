import { ApiError, ConnectionError, UnexpectedAnswer } from '@strata/api-client';
import { exitCodes, type Finding } from '@strata/model';

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What went wrong, for a person, what to do next, and with which code the program ends. */
export class CliError extends Error {
  override readonly name = 'CliError';
  constructor(
    message: string,
    readonly what: { exitCode: ExitCode; remedy?: string; findings?: readonly Finding[]; cause?: unknown },
  ) {
    super(message, { cause: what.cause });
  }
}
/** The command, a file or an option is wrong: nothing was sent. */
export const usage = (message: string, remedy?: string, cause?: unknown): CliError => new CliError(message, { exitCode: exitCodes.usage, remedy, cause });

export interface Described {
  code: string;
  message: string;
  remedy?: string | undefined;
  findings: readonly Finding[];
  details: string[];
  exitCode: ExitCode;
}

/** Every error that can end a command, in the same shape. */
export function describe(error: unknown): Described {
  if (error instanceof CliError)
    return { code: 'cli', message: error.message, remedy: error.what.remedy, findings: error.what.findings ?? [], details: [], exitCode: error.what.exitCode };
  if (error instanceof ApiError)
    return {
      code: error.code,
      message: error.message,
      remedy: error.remedy,
      findings: error.findings,
      details: error.errors.map((e) => `${e.path}: ${e.message}`),
      exitCode: exitCodeOfProblem(error),
    };
  if (error instanceof ConnectionError)
    return {
      code: error.reason,
      message: error.message,
      remedy: error.remedy,
      findings: [],
      details: [],
      exitCode: error.reason === 'timeout' ? exitCodes.timeout : exitCodes.failed,
    };
  if (error instanceof UnexpectedAnswer)
    return { code: 'unexpected-answer', message: error.message, remedy: error.remedy, findings: [], details: [], exitCode: exitCodes.failed };
  const coded = error as { exitCode?: unknown; message?: string } | null;
  const exitCode = typeof coded?.exitCode === 'number' ? (coded.exitCode as ExitCode) : exitCodes.failed;
  return { code: 'internal', message: coded?.message ?? String(error), findings: [], details: [], exitCode };
}

function exitCodeOfProblem(error: ApiError): ExitCode {
  if (error.code === 'cluster-busy') return exitCodes.busy;
  if (error.findings.some((f) => f.severity === 'blocker')) return exitCodes.precheck;
  return error.status === 400 || error.status === 422 ? exitCodes.usage : exitCodes.failed;
}

/** An error as the lines that a person reads. */
export function errorText(error: unknown): string {
  const d = describe(error);
  const lines = [
    `strata: ${d.message}`,
    ...d.details.map((x) => `  ${x}`),
    ...d.findings.map((f) => `  ${f.severity}${f.node ? ` on ${f.node}` : ''}: ${f.message}${f.remedy ? ` (${f.remedy})` : ''}`),
  ];
  if (d.remedy) lines.push(`  what to do: ${d.remedy}`);
  return lines.join('\n');
}
