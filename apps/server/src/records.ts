import type { ClusterSpec, Facts, NewEvent, RunIntent, RunResult } from '@strata/model';
import type { Release } from '@strata/run';

/** What the use cases keep beside the ledger. `libs/store` fulfils it. Times are dates by the server's clock. */
export type ClusterState = 'new' | 'installing' | 'ready' | 'degraded' | 'failed' | 'uninstalled';
/** `adding`: planned, and a run that adds it is to start as soon as the cluster's lease is free. */
export type NodeState = 'planned' | 'adding' | 'enrolled' | 'removed';

export interface ClusterRow {
  id: string;
  name: string;
  state: ClusterState;
  specVersion: number;
  kubeconfig: string | null; // sealed
  createdAt: Date;
}
export interface NodeRow {
  id: string;
  clusterId: string;
  name: string;
  role: string;
  address: string | null;
  state: NodeState;
  certSerial: string | null;
  epoch: number;
  machineId: string | null;
  hostKeys: string[];
  agentVersion: string | null;
  facts: Facts | null;
  factsDigest: string | null;
  skewMs: number | null;
  sshSecrets: string | null; // sealed
  lastSeenAt: Date | null;
}
export interface RunRow {
  id: string;
  clusterId: string;
  intent: RunIntent;
  state: string;
  result: RunResult | null;
  because: string;
  epoch: number;
  specVersion: number;
  planSeal: string | null;
  startedAt: Date;
  endedAt: Date | null;
}
export interface OutboxRow extends Release {
  runId: string;
  clusterId: string;
}
export interface LogLineRow {
  id: string;
  stepKey: string;
  attempt: number;
  at: Date;
  stream: string;
  text: string;
}
/** Who did what, written in the transaction of the deed. `body` holds no secret. */
export interface AuditEntry {
  by: string;
  action: string;
  object: string;
  body: unknown;
}
export interface NewNode {
  id: string;
  name: string;
  role: string;
  address: string | null;
  state: 'planned' | 'adding';
  sshSecrets: string | null;
}
export type { ClusterSpec, NewEvent };

export interface Records {
  clusters: {
    /** By id or by name, the uninstalled and deleted left out; null if there is none. */
    find(idOrName: string): Promise<ClusterRow | null>;
    byId(id: string): Promise<ClusterRow | null>;
    all(): Promise<ClusterRow[]>;
    spec(clusterId: string, version: number): Promise<ClusterSpec>;
    /** A new cluster (version 1), or a new version of the spec; nodes that the spec has and the table lacks are added. One transaction. */
    saveSpec(change: { id: string; name: string; spec: ClusterSpec; newNodes: NewNode[]; audit: AuditEntry }): Promise<number>;
    setState(id: string, state: ClusterState): Promise<void>;
    keepKubeconfig(id: string, sealed: string | null): Promise<void>;
    /** Marks it deleted: its name is free again. */
    forget(id: string, audit: AuditEntry): Promise<void>;
  };
  nodes: {
    /** Those that are not removed. */
    of(clusterId: string): Promise<NodeRow[]>;
    byName(clusterId: string, name: string): Promise<NodeRow | null>;
    byId(id: string): Promise<NodeRow | null>;
    byMachineId(machineId: string): Promise<NodeRow[]>;
    all(state: NodeState): Promise<NodeRow[]>;
    update(id: string, change: Partial<Omit<NodeRow, 'id' | 'clusterId' | 'name'>>): Promise<void>;
    /** State removed, epoch raised, secrets erased. */
    remove(id: string, audit: AuditEntry): Promise<void>;
  };
  runs: {
    /** Lease, epoch, row and RunRequested in one transaction; the id of the run that holds the lease if it is taken. */
    start(run: {
      id: string;
      clusterId: string;
      intent: RunIntent;
      specVersion: number;
      by: string;
      audit: AuditEntry;
    }): Promise<{ started: true; epoch: number } | { started: false; runId: string }>;
    byId(id: string): Promise<RunRow | null>;
    list(filter: { clusterId?: string; cursor?: string; limit: number }): Promise<RunRow[]>;
    latest(clusterId: string): Promise<RunRow | null>;
    /** Puts the row behind the ledger: state, result, words, counts. */
    update(
      id: string,
      change: { state?: string; result?: RunResult | null; because?: string; planSeal?: string; endedAt?: Date | null; summary?: unknown },
    ): Promise<void>;
    releaseLease(clusterId: string, runId: string): Promise<void>;
    /** Takes the lease for a run that is resumed, with a new epoch. */
    takeLease(clusterId: string, runId: string): Promise<{ taken: true; epoch: number } | { taken: false; runId: string }>;
    leaseOf(clusterId: string): Promise<string | null>;
  };
  outbox: {
    unsettled(): Promise<OutboxRow[]>;
    find(key: { orderId: string; attempt: number; epoch: number }): Promise<OutboxRow | null>;
    settle(key: { orderId: string; attempt: number; epoch: number }): Promise<void>;
  };
  tokens: {
    addEnroll(token: { hash: string; clusterId: string; nodeId: string; role: string; expiresAt: Date }): Promise<void>;
    /** Uses a token up, once; null if it is unknown, used or over. */
    useEnroll(hash: string, now: Date): Promise<{ clusterId: string; nodeId: string; role: string } | null>;
    addApi(token: { hash: string; name: string; role: string }): Promise<void>;
    api(hash: string): Promise<{ name: string; role: string } | null>;
  };
  minted: {
    add(token: { orderId: string; attempt: number; clusterId: string; node: string; tokenId: string; value: string }): Promise<void>;
    of(order: { orderId: string; attempt: number }): Promise<{ tokenId: string; value: string } | null>;
    forNode(clusterId: string, node: string): Promise<{ tokenId: string } | null>;
    take(orderId: string): Promise<{ clusterId: string; tokenId: string }[]>;
  };
  logs: {
    add(lines: { runId: string; stepKey: string; attempt: number; at: Date; stream: string; text: string }[]): Promise<void>;
    read(runId: string, stepKey: string, page: { after: string | null; limit: number }): Promise<LogLineRow[]>;
  };
  audit: { write(entry: AuditEntry): Promise<void> };
  idempotency: {
    find(route: string, key: string): Promise<{ bodyHash: string; status: number; response: unknown } | null>;
    keep(row: { route: string; key: string; bodyHash: string; status: number; response: unknown }): Promise<void>;
  };
  epochs: { next(name: string): Promise<number> };
}
