import type { Outcome } from '@strata/model';
import type { HeldState, RefusalCode } from './codes';

/** One attempt of one order. */
export interface OrderRef {
  orderId: string;
  attempt: number;
}
export interface HeldOrder extends OrderRef {
  runId: string;
  step: string;
  epoch: number;
  state: HeldState;
}
/** What an agent says. Times are milliseconds since 1970 by the agent's own clock. */
export interface FromAgentBodies {
  hello: {
    agentVersion: string;
    catalogue: { name: string; version: number }[];
    bootId: string;
    factsDigest: string;
    highestEpoch: number;
    held: HeldOrder[];
    agentTimeMs: number;
    /** The looks that this agent can answer; an older agent says none. */
    looks?: string[];
  };
  /** `facts` is JSON of the model's Facts, not yet parsed by its schema. */
  facts: { digest: string; facts: unknown };
  factsChanged: { what: string; before: unknown; after: unknown; digest: string };
  accepted: OrderRef & { epoch: number };
  refused: OrderRef & { epoch: number; code: RefusalCode; message: string };
  progress: OrderRef & { fraction: number | null; note: string };
  /** `seq` counts from 1 within the attempt; `dropped` lines before this one were not sent. */
  log: OrderRef & { seq: number; stream: string; text: string; dropped: number; atMs: number };
  /** `result` is JSON of the model's OrderResult, not yet parsed by its schema. */
  settled: OrderRef & { runId: string; step: string; epoch: number; outcome: Outcome; result: unknown; journalSeq: number };
  /** `mount` is JSON of the model's MountHealth, not yet parsed by its schema; none where the node has no shared mount. `trouble`: what keeps the agent from its work, in words. */
  heartbeat: { load: number; agentTimeMs: number; rssMb: number; mount?: unknown; trouble?: string };
  secretsWanted: OrderRef;
  /** A part of what a look found; `failure` is empty unless it could not be done. */
  answer: { id: string; part: Buffer; last: boolean; failure: string };
}
/** What the server says. */
export interface ToAgentBodies {
  welcome: {
    sessionId: string;
    serverTimeMs: number;
    heartbeatIntervalMs: number;
    reconnectCapMs: number;
    credits: number;
    wantsFacts: boolean;
    /** host:port, where this server is reached now; empty from an older one. */
    sessionAddresses: string[];
    artifactAddresses: string[];
  };
  /** `body` is the canonical JSON of the model's OrderBody: the signature is over exactly these bytes. */
  order: { body: Buffer; signature: Buffer; keyId: string; secrets: Record<string, Buffer> };
  cancel: OrderRef & { reason: string };
  credit: { n: number };
  ack: OrderRef & { journalSeq: number };
  /** Go to another address; an empty list means: the same ones, later. */
  drain: { addresses: string[]; reason: string };
  /** `missing` is empty when all values are there, else it says what is not and why. */
  secrets: OrderRef & { secrets: Record<string, Buffer>; missing: string };
  factsWanted: object;
  /** The node was removed from its cluster: the agent takes itself away. */
  dismiss: { reason: string };
  /** A look, outside any run: nothing is changed. */
  ask: { id: string; what: string; input: unknown };
}
type Union<Bodies> = { [K in keyof Bodies]: { kind: K } & Bodies[K] }[keyof Bodies];
export type FromAgent = Union<FromAgentBodies>;
export type ToAgent = Union<ToAgentBodies>;

export interface EnrollRequest {
  token: string;
  csrPem: string;
  machineId: string;
  hostKeys: string[];
  agentVersion: string;
  hostname: string;
  agentTimeMs: number;
}
/** What an enrolled node is given. Keys are raw public keys of 32 bytes. */
export interface Identity {
  certificatePem: string;
  caPem: string;
  orderKeys: { keyId: string; publicKey: Buffer }[];
  /** X25519: secret outputs are sealed to it. */
  boxKey: Buffer;
  sessionAddresses: string[];
  artifactAddresses: string[];
  nodeId: string;
  nodeName: string;
  clusterId: string;
  /** The agent's clock minus the server's, in milliseconds. */
  skewMs: number;
}
