const longest = 400;

/** An error for people, with what it came of; not longer than a line or two. */
export const wordsOf = (error: unknown): string =>
  (error instanceof Error ? [error.message, ...(error.cause instanceof Error ? [error.cause.message] : [])].join(': ') : String(error)).slice(0, longest);
