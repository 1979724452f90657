/** A failure that a task foresees: what was tried, what happened, what to do next. */
export class TaskError extends Error {
  readonly remedy: string;
  readonly retry: boolean;
  readonly detail: string[];
  /** What has to be done before a look can tell anything; a dry run then says "unknown until" instead of failing. */
  readonly unknownUntil: string | undefined;
  /** @param code stable word, e.g. `program-failed`. `detail`: last lines of a program's output. */
  constructor(
    readonly code: string,
    message: string,
    options: { remedy: string; retry?: boolean; detail?: string[]; cause?: unknown; unknownUntil?: string },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'TaskError';
    this.remedy = options.remedy;
    this.retry = options.retry ?? false;
    this.detail = options.detail ?? [];
    this.unknownUntil = options.unknownUntil;
  }
}

/** A directory stands where a file belongs. */
export const notAFile = (path: string, cause?: unknown): TaskError =>
  new TaskError('not-a-file', `${path} is a directory, and a file belongs there`, { remedy: 'see what it holds and move it away, then retry the step', cause }); // prettier-ignore
