import { BadMessage } from './failures';
import { heldStateFromWire, heldStateToWire, outcomeFromWire, outcomeToWire, refusalFromWire, refusalToWire } from './codes';
import type { AgentMessage, AgentMessage__Output } from './gen/strata/agent/v1/AgentMessage';
import type { EnrollRequest as WireEnrollRequest, EnrollRequest__Output } from './gen/strata/agent/v1/EnrollRequest';
import type { Identity as WireIdentity, Identity__Output } from './gen/strata/agent/v1/Identity';
import type { ServerMessage, ServerMessage__Output } from './gen/strata/agent/v1/ServerMessage';
import type { EnrollRequest, FromAgent, FromAgentBodies, Identity, ToAgent, ToAgentBodies } from './messages';

type Kind<M extends { body?: string }> = NonNullable<M['body']>;
/** How each kind of message is read and written. A kind that the proto has and this table lacks does not compile. */
type Readers<M extends { body?: string }, Bodies extends Record<Kind<M>, unknown>> = {
  [K in Kind<M> & keyof M]: (body: NonNullable<M[K]>) => Bodies[K & keyof Bodies];
};
type Writers<M extends { body?: string }, Bodies extends Record<Kind<M>, unknown>> = {
  [K in Kind<M> & keyof M]: (body: Bodies[K & keyof Bodies]) => NonNullable<M[K]>;
};

function whole(text: string): number {
  const n = Number(text);
  if (!Number.isSafeInteger(n)) throw new BadMessage(`a number is out of range: ${text.slice(0, 30)}`);
  return n;
}
function json(bytes: Buffer): unknown {
  if (bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new BadMessage(`a field that should hold JSON does not: ${(cause as Error).message}`, { cause });
  }
}
const bytes = (value: unknown): Buffer => (value === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(value), 'utf8'));
const unknownFraction = -1; // proto3 has no "absent" for a plain double

const agentReaders: Readers<AgentMessage__Output, FromAgentBodies> = {
  hello: (b) => ({
    agentVersion: b.agentVersion,
    catalogue: b.catalogue.map(({ name, version }) => ({ name, version })),
    bootId: b.bootId,
    factsDigest: b.factsDigest,
    highestEpoch: whole(b.highestEpoch),
    held: b.held.map((h) => ({
      orderId: h.orderId,
      runId: h.runId,
      step: h.stepKey,
      epoch: whole(h.epoch),
      attempt: h.attempt,
      state: heldStateFromWire(h.state),
    })),
    agentTimeMs: whole(b.agentTimeMs),
    ...(b.looks.length > 0 ? { looks: [...b.looks] } : {}),
  }),
  facts: (b) => ({ digest: b.digest, facts: json(b.json) }),
  factsChanged: (b) => ({ what: b.what, before: json(b.beforeJson), after: json(b.afterJson), digest: b.digest }),
  accepted: (b) => ({ orderId: b.orderId, attempt: b.attempt, epoch: whole(b.epoch) }),
  refused: (b) => ({ orderId: b.orderId, attempt: b.attempt, epoch: whole(b.epoch), code: refusalFromWire(b.code), message: b.message }),
  progress: (b) => ({ orderId: b.orderId, attempt: b.attempt, fraction: b.fraction < 0 ? null : b.fraction, note: b.note }),
  log: (b) => ({ orderId: b.orderId, attempt: b.attempt, seq: whole(b.seq), stream: b.stream, text: b.text, dropped: whole(b.dropped), atMs: whole(b.atMs) }),
  settled: (b) => ({
    orderId: b.orderId,
    attempt: b.attempt,
    runId: b.runId,
    step: b.stepKey,
    epoch: whole(b.epoch),
    outcome: outcomeFromWire(b.outcome),
    result: json(b.resultJson),
    journalSeq: whole(b.journalSeq),
  }),
  heartbeat: (b) => ({ load: b.load, agentTimeMs: whole(b.agentTimeMs), rssMb: b.rssMb, ...(b.mountJson.length > 0 && { mount: json(b.mountJson) }), ...(b.trouble !== '' && { trouble: b.trouble }) }), // prettier-ignore
  secretsWanted: (b) => ({ orderId: b.orderId, attempt: b.attempt }),
  answer: (b) => ({ id: b.id, part: b.part, last: b.last, failure: b.failure }),
};
const agentWriters: Writers<AgentMessage, FromAgentBodies> = {
  hello: (b) => ({
    ...b,
    held: b.held.map((h) => ({ orderId: h.orderId, runId: h.runId, stepKey: h.step, epoch: h.epoch, attempt: h.attempt, state: heldStateToWire(h.state) })),
  }),
  facts: (b) => ({ digest: b.digest, json: bytes(b.facts) }),
  factsChanged: (b) => ({ what: b.what, beforeJson: bytes(b.before), afterJson: bytes(b.after), digest: b.digest }),
  accepted: (b) => b,
  refused: (b) => ({ ...b, code: refusalToWire(b.code) }),
  progress: (b) => ({ ...b, fraction: b.fraction ?? unknownFraction }),
  log: (b) => b,
  settled: (b) => ({
    orderId: b.orderId,
    attempt: b.attempt,
    runId: b.runId,
    stepKey: b.step,
    epoch: b.epoch,
    outcome: outcomeToWire(b.outcome),
    resultJson: bytes(b.result),
    journalSeq: b.journalSeq,
  }),
  heartbeat: ({ mount, ...b }) => (mount === undefined ? b : { ...b, mountJson: bytes(mount) }),
  secretsWanted: (b) => b,
  answer: (b) => b,
};
const serverReaders: Readers<ServerMessage__Output, ToAgentBodies> = {
  welcome: (b) => ({
    sessionId: b.sessionId,
    serverTimeMs: whole(b.serverTimeMs),
    heartbeatIntervalMs: b.heartbeatIntervalMs,
    reconnectCapMs: b.reconnectCapMs,
    credits: b.credits,
    wantsFacts: b.wantsFacts,
    sessionAddresses: b.sessionAddresses,
    artifactAddresses: b.artifactAddresses,
  }),
  order: (b) => ({ body: b.body, signature: b.signature, keyId: b.keyId, secrets: b.secrets }),
  cancel: (b) => ({ orderId: b.orderId, attempt: b.attempt, reason: b.reason }),
  credit: (b) => ({ n: b.n }),
  ack: (b) => ({ orderId: b.orderId, attempt: b.attempt, journalSeq: whole(b.journalSeq) }),
  drain: (b) => ({ addresses: b.addresses, reason: b.reason }),
  secrets: (b) => ({ orderId: b.orderId, attempt: b.attempt, secrets: b.secrets, missing: b.missing }),
  factsWanted: () => ({}),
  dismiss: (b) => ({ reason: b.reason }),
  ask: (b) => ({ id: b.id, what: b.what, input: json(b.inputJson) }),
};
const serverWriters: Writers<ServerMessage, ToAgentBodies> = {
  welcome: (b) => b,
  order: (b) => b,
  cancel: (b) => b,
  credit: (b) => b,
  ack: (b) => b,
  drain: (b) => b,
  secrets: (b) => b,
  factsWanted: () => ({}),
  dismiss: (b) => ({ reason: b.reason }),
  ask: (b) => ({ id: b.id, what: b.what, inputJson: bytes(b.input) }),
};

/** The tables above are exact by kind; TypeScript cannot follow one key through two of them, so this one place says so. */
function pass(table: object, kind: string | undefined, body: unknown): unknown {
  const translate = kind === undefined ? undefined : (table as Record<string, ((body: unknown) => unknown) | undefined>)[kind];
  return translate?.(body);
}
/** What is sent is of a kind that we know: anything else would go out as an empty message that nobody hears. */
function written(table: object, message: { kind: string }): object {
  const body = pass(table, message.kind, message);
  if (body === undefined) throw new Error(`nothing can send a message of the kind ${message.kind} this way`);
  return { [message.kind]: body };
}
/** Undefined for a kind that only a newer agent knows: it is ignored. Throws BadMessage. */
export function fromAgentOfWire(message: AgentMessage__Output): FromAgent | undefined {
  const body = message.body === undefined ? undefined : pass(agentReaders, message.body, message[message.body]);
  return body === undefined ? undefined : ({ kind: message.body, ...body } as FromAgent);
}
export const fromAgentToWire = (message: FromAgent): AgentMessage => written(agentWriters, message);
/** Undefined for a kind that only a newer server knows: it is ignored. Throws BadMessage. */
export function toAgentOfWire(message: ServerMessage__Output): ToAgent | undefined {
  const body = message.body === undefined ? undefined : pass(serverReaders, message.body, message[message.body]);
  return body === undefined ? undefined : ({ kind: message.body, ...body } as ToAgent);
}
export const toAgentToWire = (message: ToAgent): ServerMessage => written(serverWriters, message);

export const enrollRequestToWire = (request: EnrollRequest): WireEnrollRequest => request;
export const enrollRequestOfWire = (r: EnrollRequest__Output): EnrollRequest => ({
  token: r.token,
  csrPem: r.csrPem,
  machineId: r.machineId,
  hostKeys: r.hostKeys,
  agentVersion: r.agentVersion,
  hostname: r.hostname,
  agentTimeMs: whole(r.agentTimeMs),
});
export const identityToWire = (identity: Identity): WireIdentity => identity;
export const identityOfWire = (i: Identity__Output): Identity => ({
  certificatePem: i.certificatePem,
  caPem: i.caPem,
  orderKeys: i.orderKeys.map(({ keyId, publicKey }) => ({ keyId, publicKey })),
  boxKey: i.boxKey,
  sessionAddresses: i.sessionAddresses,
  artifactAddresses: i.artifactAddresses,
  nodeId: i.nodeId,
  nodeName: i.nodeName,
  clusterId: i.clusterId,
  skewMs: whole(i.skewMs),
});
