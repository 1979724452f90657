import { status, type ServiceError, type StatusObject } from '@grpc/grpc-js';

/** Why one side says no. Asking again unchanged brings the same answer. */
export type RefusalReason = 'unauthenticated' | 'forbidden' | 'exists' | 'precondition' | 'bad-request' | 'too-much';
const codes = {
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  exists: status.ALREADY_EXISTS,
  precondition: status.FAILED_PRECONDITION,
  'bad-request': status.INVALID_ARGUMENT,
  'too-much': status.RESOURCE_EXHAUSTED,
} as const satisfies Record<RefusalReason, status>;
const reasons = new Map<status, RefusalReason>((Object.entries(codes) as [RefusalReason, status][]).map(([reason, code]) => [code, reason]));

/** The other side was reached and said no. Handlers of the server throw it; callers of the client catch it. The message is shown to people on both sides. */
export class CallRefused extends Error {
  override readonly name = 'CallRefused';
  constructor(
    readonly reason: RefusalReason,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The other side could not be reached, or went away. Worth another try. */
export class PeerUnreachable extends Error {
  override readonly name = 'PeerUnreachable';
}

/** What the network presented is not the server that was pinned. Nothing secret was sent. */
export class PinMismatch extends Error {
  override readonly name = 'PinMismatch';
}

/** A message that the protocol does not allow. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage';
}

/** The gRPC status of what a handler threw. Anything but a {@link CallRefused} is our own fault, and its text stays here. */
export function statusOf(error: unknown): Pick<StatusObject, 'code' | 'details'> {
  if (error instanceof CallRefused) return { code: codes[error.reason], details: error.message };
  if (error instanceof PeerUnreachable) return { code: status.UNAVAILABLE, details: error.message };
  if (error instanceof BadMessage) return { code: status.INVALID_ARGUMENT, details: error.message };
  return { code: status.INTERNAL, details: 'the server failed inside; its log says why' };
}

/** The error for a call to `where` that ended with a gRPC status. `handshake` is what went wrong below gRPC, if it did. */
export function failureOf(error: ServiceError, where: string, handshake?: Error): CallRefused | PeerUnreachable {
  const reason = reasons.get(error.code);
  if (reason) return new CallRefused(reason, error.details, { cause: error });
  const said = handshake?.message ?? error.details.replace(/^No connection established\. Last error: |\. Resolution note: $/g, '');
  return new PeerUnreachable(`the control server at ${where} could not be reached or dropped the call: ${said || error.message}`, { cause: error });
}
