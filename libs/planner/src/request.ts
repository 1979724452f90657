import type { Catalog, ClusterSpec, Component, Facts, Made, ManifestObject, RunIntent } from '@strata/model';

/** A bundle as the server read it from disk. */
export interface BundleContent {
  version: string;
  images: { name: string; version: string }[]; // catalog entries
  /** `objects`: what the component's manifests hold; `digest`: sha256 of its chart's files. */
  components: { component: Component; objects: ManifestObject[]; digest: string | null }[];
  /** Why it cannot be used, as FILE:LINE:COLUMN and words; the rest of it is empty then. */
  broken?: string;
}

/** What the cluster tells of the application that a run is about. */
export interface AppKnown {
  /** The newest, and all that Helm keeps. */
  revision: number;
  revisions: number[];
  /** Revisions that worked, oldest first, and the newest of them that was noted; 0: none. */
  proven: number[];
  good: number;
  /** Of what the newest was made, or the newest that worked; and all proven ones that were made of the same. */
  made: Made | null;
  alike: number[];
  stopped: boolean;
}

/** Everything a plan is made of. Nothing else: the same request gives the same plan. */
export interface PlanRequest {
  id: string;
  clusterId: string;
  spec: ClusterSpec;
  specVersion: number;
  /** What is known of each machine, by node name. A node without facts cannot be planned for: it counts as absent. */
  facts: ReadonlyMap<string, Facts>;
  /** Node ids of the nodes that have an agent, by node name. */
  enrolled: ReadonlyMap<string, string>;
  /** Nodes that could not be reached. They get no steps, the run ends degraded. */
  absent: readonly string[];
  catalog: Catalog;
  /** `name@version` of catalog entries that no source gives, as far as anybody knows. */
  unobtainable?: readonly string[];
  bundles: Readonly<Record<string, BundleContent>>;
  intent: RunIntent;
  /** The application that the intent names; null where there is no such release. */
  app?: AppKnown | null;
  /** Images of applications that are in the cluster and not of its spec's bundles: each node gets them, too. */
  appImages?: readonly { name: string; version: string }[];
  /** Names of nodes that are in the cluster, but not in the spec any more. They stay as they are, and the plan says so. */
  dropped?: readonly string[];
  /** Names or addresses under which nodes reach the control server. */
  serverHosts?: readonly string[];
  /** Milliseconds since 1970. */
  now: number;
  /** sha256 of a text, 64 hexadecimal digits: the planner does no cryptography of its own. */
  sha256: (text: string) => string;
}
