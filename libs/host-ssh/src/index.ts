export { fingerprintOf, judgeHostKey, knownKeys, type HostKeyPolicy, type Verdict } from './host-key';
export type { SshTarget } from './connect';
export { type ExecOptions, SshMachine, type SshOptions } from './machine';
export type { Conversation, Opened, Seen, Tried, Try } from './probe/conversation';
export { NodeProbe } from './probe/node-probe';
export { readOnlyHost } from './read-only-host';
export { SshError, type SshFailureCode } from './ssh-error';
export { dropUpload, type PackedFile, uploadPacked } from './upload';
