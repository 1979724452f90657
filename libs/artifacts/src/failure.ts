/** One source that was tried and why it did not give the artifact. */
export interface FailedSource {
  source: string;
  reason: string;
}

/** No source gave the artifact: says every source, why it failed, and what the operator can do. */
export class ObtainError extends Error {
  override readonly name = 'ObtainError';
  constructor(
    readonly artifact: string,
    readonly failed: readonly FailedSource[],
    readonly remedies: readonly string[],
  ) {
    super(
      [
        `${artifact} could not be obtained. Tried:`,
        ...failed.map((f) => `  - ${f.source}: ${f.reason}`),
        'What helps:',
        ...remedies.map((r) => `  - ${r}`),
      ].join('\n'),
    );
  }
}

/** Built or fetched bytes differ from what a lock says they must be. Never retried with another digest by itself. */
export class LockedDigestError extends Error {
  override readonly name = 'LockedDigestError';
  constructor(what: string, expected: string, got: { sha256: string; lock: string }) {
    super(
      `${what} is locked to sha256 ${expected} by ${got.lock}, but came out as ${got.sha256}. ` +
        'The same inputs must give the same bytes: look for a changed source or toolchain; remove the lock only when the new content is wanted.',
    );
  }
}

/** Words of an unknown thrown value. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
