import { Injectable } from '@nestjs/common';
import { type ClusterSpec, milliseconds, type Plan, type Running, type Wait } from '@strata/model';
import { decide, isInFlight, type RunView, type SessionState, type Situation, underWay } from '@strata/run';
import { Edges } from '../serve/edges';
import { RunBook } from './run-book';

/**
 * How many steps of a pool may run at once: on one node, or on the server for all runs together. Pools that are not named are unlimited.
 * A node takes one set of artifacts after the other (several files of it at a time), so that it begins to install the first while the next arrive.
 * Of what the server obtains two are compiled at a time (libs/artifacts/src/go-build.ts); more may wait for their turn or be loaded meanwhile.
 */
const nodePools: Readonly<Record<string, number>> = { packages: 1, images: 1, transfer: 1 };
const serverPools: Readonly<Record<string, number>> = { artifacts: 6, ssh: 6 };

type Policy = ClusterSpec['spec']['policy'];

/** Gathers the world beside the ledger, as the engine needs it to decide. */
@Injectable()
export class Situations {
  private readonly listeningSince: number;
  private readonly places = new Map<string, { clusterId: string; specVersion: number }>();
  private readonly policies = new Map<string, Policy>();

  constructor(
    private readonly edges: Edges,
    private readonly book: RunBook,
  ) {
    this.listeningSince = edges.now();
  }

  async of(runId: string, view: RunView): Promise<Situation> {
    const run = await this.placeOf(runId);
    const policy = await this.policyOf(run.clusterId, run.specVersion);
    const others = await this.otherViews(runId);
    return {
      now: this.edges.now(),
      listeningSince: this.listeningSince,
      sessions: await this.sessions(run.clusterId, view),
      poolFree: (pool, node) => (node === null ? (serverPools[pool] ?? Infinity) - usedOnServer(others, pool) : (nodePools[pool] ?? Infinity)),
      nodeWaitMs: milliseconds(policy.nodeWait),
      onFailure: policy.onFailure,
      until: view.intent?.until,
    };
  }

  /** What is under way in an open run, and why each step that does not move does not. */
  async now(runId: string): Promise<{ running: Running[]; waits: Wait[] }> {
    const view = await this.book.view(runId);
    if (!view.plan || view.state === 'ended') return { running: [], waits: [] };
    return { running: underWay(view.plan, view), waits: [...decide(view.plan, view, await this.of(runId, view)).waits] };
  }

  /** Cluster and version of a run: they never change. */
  private async placeOf(runId: string): Promise<{ clusterId: string; specVersion: number }> {
    const known = this.places.get(runId);
    if (known) return known;
    const run = await this.edges.store.runs.find(runId);
    if (!run) throw new Error(`run ${runId} is not in the database`);
    const place = { clusterId: run.clusterId, specVersion: run.specVersion };
    this.places.set(runId, place);
    return place;
  }

  /** A version of a spec never changes. */
  private async policyOf(clusterId: string, version: number): Promise<Policy> {
    const key = `${clusterId}#${version}`;
    const known = this.policies.get(key);
    if (known) return known;
    const spec = await this.edges.store.clusters.spec(clusterId, version);
    if (!spec) throw new Error(`version ${version} of the spec of cluster ${clusterId} is not in the database; restore it from a backup`);
    this.policies.set(key, spec.spec.policy);
    return spec.spec.policy;
  }

  private async sessions(clusterId: string, view: RunView): Promise<Map<string, SessionState>> {
    const states = new Map<string, SessionState>();
    for (const node of await this.edges.store.nodes.brief(clusterId)) {
      const session = this.edges.sessions.of(node.id);
      states.set(node.name, {
        connected: session !== null,
        enrolled: node.state === 'enrolled',
        lastSeen: session?.lastSeen ?? node.lastSeenAt?.getTime() ?? view.startedAt ?? 0,
        openedAt: session?.openedAt ?? null,
        holds: session?.holds ?? new Map<string, number>(),
      });
    }
    return states;
  }

  private async otherViews(runId: string): Promise<RunView[]> {
    const open = await this.edges.ledger.open();
    return Promise.all(open.filter((o) => o.runId !== runId).map((o) => this.book.view(o.runId)));
  }
}

const usedOnServer = (views: readonly RunView[], pool: string): number =>
  views.reduce((sum, view) => sum + (view.plan ? inFlightOf(view.plan, view, pool) : 0), 0);
function inFlightOf(plan: Plan, view: RunView, pool: string): number {
  return plan.steps.filter((s) => {
    const there = view.steps.get(s.key);
    return s.pool === pool && s.target === 'server' && there !== undefined && isInFlight(there);
  }).length;
}
