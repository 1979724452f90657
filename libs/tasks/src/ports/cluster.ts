import type { Artifact } from '@strata/model';
import type { Releases } from './releases';

/** Enough of a Kubernetes object to apply it. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}
export interface ObjectRef {
  apiVersion: string;
  kind: string;
  name: string;
  namespace?: string;
}
export interface ClusterNode {
  name: string;
  ready: boolean;
  uid: string;
  addresses: string[];
  message: string; // why not ready
  version: string;
  unschedulable: boolean;
  labels: Record<string, string>;
  taints: { key: string; value: string; effect: string }[];
}
export interface SigningRequest {
  name: string;
  username: string; // who asked: system:bootstrap:<token id>
  signer: string;
  commonName: string; // subject of the CSR
  organizations: string[];
  pending: boolean;
}
export interface PodSummary {
  name: string;
  namespace: string;
  node: string | null;
  phase: string;
  ready: boolean;
  restarts: number;
  reason: string;
}

/** One Kubernetes cluster's API. Every call has a deadline of its own; "not there" is null, anything else throws. */
export interface Cluster {
  /** True if the API server says ok on /readyz. */
  ready(): Promise<boolean>;
  nodes(): Promise<ClusterNode[]>;
  node(name: string): Promise<ClusterNode | null>;
  get(ref: ObjectRef): Promise<KubeObject | null>;
  /** Server-side apply with the field manager `strata`, forced. */
  apply(objects: readonly KubeObject[]): Promise<void>;
  delete(ref: ObjectRef): Promise<void>;
  /** All objects of a kind, in every namespace unless one is named. */
  list(of: { apiVersion: string; kind: string; namespace?: string }): Promise<KubeObject[]>;
  /** Merge-patches an object that is there, as nobody's field manager: what it names changes, `null` drops a key, all else stays. */
  patch(object: KubeObject): Promise<void>;
  /** Merge-patches a node: labels and taints, cordon. */
  patchNode(
    name: string,
    patch: { labels?: Record<string, string>; taints?: { key: string; value: string; effect: string }[]; unschedulable?: boolean },
  ): Promise<void>;
  /** Deployment, DaemonSet or StatefulSet: whether its rollout is complete, and the words for what is missing. */
  rollout(ref: ObjectRef): Promise<{ complete: boolean; message: string }>;
  signingRequests(): Promise<SigningRequest[]>;
  approve(signingRequest: string): Promise<void>;
  deny(signingRequest: string, reason: string): Promise<void>;
  pods(filter?: { namespace?: string; node?: string; labels?: string }): Promise<PodSummary[]>;
  /** The last lines of a container, or of its life before this one; null where it has none. */
  logs(of: { namespace: string; pod: string; container: string; previous: boolean; lines: number }): Promise<string | null>;
  /** GET through the API server. Null where nothing answers behind the service. */
  http(of: { namespace: string; service: string; port: number; path: string }): Promise<{ status: number; body: string } | null>;
  /** Evicts what is not a DaemonSet's or a mirror pod; honours budgets; ends when all are gone or the signal fires. */
  drain(node: string, options: { progress: (note: string) => void; signal: AbortSignal; force: boolean }): Promise<void>;
  deleteNode(name: string): Promise<void>;
}

/** What only the control server can do, as server tasks see it. */
export interface Control {
  /** Obtains one catalog entry into the server's store, or gives what is there. Only with `unofficial` from a publisher who is not the vendor. */
  obtain(
    name: string,
    version: string,
    options: { progress: (fraction: number | null, note: string) => void; signal: AbortSignal; unofficial: boolean },
  ): Promise<Artifact>;
  obtained(name: string, version: string): Promise<Artifact | null>;
  /** Whether the node's agent has a session; one that was there just now is waited for. */
  session(node: string): Promise<{ connected: boolean; enrolled: boolean; agentVersion: string | null }>;
  /** Installs the agent over SSH and enrolls it; returns when its session is open. */
  installAgent(node: string, options: { progress: (fraction: number | null, note: string) => void; signal: AbortSignal }): Promise<void>;
  /** Tells the agent to remove itself, revokes its certificate; with `force` also if it cannot be reached. */
  removeAgent(node: string, options: { force: boolean; signal: AbortSignal }): Promise<void>;
  /** The newest agent version this server carries. */
  agentVersion(): string;
  /** The certificate (PEM) of the authority that issues those of the services on our nodes. */
  authority(): string;
  /** Keeps the admin kubeconfig (sealed) so that `cluster` works from now on; `null` forgets it. */
  keepKubeconfig(kubeconfig: string | null): Promise<void>;
  /** Whether a kubeconfig is kept; with `exactly`: whether it is this one. */
  hasKubeconfig(exactly?: string): Promise<boolean>;
  /** Helm's releases in this cluster. */
  releases: Releases;
  /** The bootstrap token id that was minted for this node's join order, if one is out. */
  mintedTokenId(node: string): Promise<string | null>;
}
