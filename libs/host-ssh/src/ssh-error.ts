/** Why a machine could not be reached or used over SSH. `code` is stable. */
export type SshFailureCode =
  | 'unreachable'
  | 'timeout'
  | 'host-key-mismatch'
  | 'host-key-unknown'
  | 'auth-failed'
  | 'agent-unavailable'
  | 'other-user'
  | 'key-encrypted'
  | 'key-unreadable'
  | 'no-shell'
  | 'sudo-password-needed'
  | 'sudo-refused'
  | 'connection-lost'
  | 'upload-failed'
  | 'read-only';

export class SshError extends Error {
  constructor(
    readonly code: SshFailureCode,
    message: string,
    readonly details: { remedy: string; cause?: unknown; presented?: string; expected?: string[] },
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'SshError';
  }
  get remedy(): string {
    return this.details.remedy;
  }
}
