import type { Finding, Problem } from '@strata/model';

/** The server said no: its problem+json, with what to do next. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string; // stable, e.g. cluster-busy
  readonly title: string;
  readonly remedy: string;
  readonly findings: readonly Finding[];
  readonly errors: readonly { path: string; message: string }[];

  constructor(
    problem: Problem,
    readonly request: string, // METHOD /path
  ) {
    super(problem.detail);
    this.status = problem.status;
    this.code = problem.code;
    this.title = problem.title;
    this.remedy = problem.remedy;
    this.findings = problem.findings ?? [];
    this.errors = problem.errors ?? [];
  }
}

/**
 * No answer came. `reason`: refused (nothing listens there), unreachable (no way there, unknown name), untrusted (somebody else answers),
 * timeout, lost (the connection broke on the way; whether the request was done is unknown), aborted (by the caller's signal).
 */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  constructor(
    readonly reason: 'refused' | 'unreachable' | 'untrusted' | 'timeout' | 'lost' | 'aborted',
    message: string,
    readonly words: { remedy: string; cause?: unknown },
  ) {
    super(message, { cause: words.cause });
  }
  get remedy(): string {
    return this.words.remedy;
  }
}

/** An answer that is not what the API promises: another program answers there, or a much newer or older server. */
export class UnexpectedAnswer extends Error {
  override readonly name = 'UnexpectedAnswer';
  readonly remedy = 'check the address of the server, and that server and client are of like versions (strata version)';
}
