import type { CatalogEntry } from '@strata/model';
import type { PlanContext, PlannedNode } from './context';
import type { Line, Steps } from './steps';

/** The lines of one machine's steps that its distribution goes on from. */
export interface NodeLines {
  node: PlannedNode;
  /** Agent, prechecks, kernel: everything else of the node begins after it. */
  begin: Line;
  /** The machine's own settings. */
  system: Line;
  /** Container runtime, where the distribution does not bring its own. */
  runtime: Line;
  /** Images, group after group in the container runtime. */
  images: Line;
}

/** One way to make Kubernetes of prepared machines. Each method adds its entries to THE LIST at its place there. */
export interface Distribution {
  version: string;
  /** Whether containerd, runc and the CNI plugins are installed by us. */
  ownRuntime: boolean;
  /** Catalog entries that a node of this cluster needs. @throws PlanRefused */
  artifacts(c: PlanContext): CatalogEntry[];
  /** Images of a node in the order of need: what must be there before the node may join. */
  images(c: PlanContext, node: PlannedNode): { as: string; images: CatalogEntry[] }[];
  /** The pause image's full name: containerd has to know it. */
  pauseImage(c: PlanContext): string;
  /** Init once on the control plane, or join: from prepared to Ready. */
  node(on: Steps, c: PlanContext, lines: NodeLines): void;
  /** What belongs to the whole cluster: network, addons. */
  cluster(on: Steps, c: PlanContext): void;
  /** Beside `cluster`, in a plan that adds nodes: what the new ones need to know of the cluster that is there. */
  known(on: Steps, c: PlanContext): void;
  /** A step key that says: the network works. */
  networkReady: string;
  nodeReady(node: string): string;
}
