import { createHash, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { bundleUse, type ClusterSpec, type Finding, type NodeSpec, type Plan, type RunIntent, type RunResult } from '@strata/model';
import { type AppKnown, plan, PlanRefused } from '@strata/planner';
import { isTransient, type RunRecord } from '@strata/store';
import { ShowApps } from '../apps/show-apps';
import { ObtainArtifacts } from '../artifacts/obtain-artifacts';
import { sealOf } from '../orders/released-orders';
import { Edges } from '../serve/edges';
import { type Contact, CheckNodes } from './check-nodes';
import { RunBook } from './run-book';
import { Bundles } from '../artifacts/bundles';

/** Refusals that only follow from a machine which could not be looked at. */
const ofAbsence = new Set(['control-plane.absent', 'node.unreachable']);

const againMs = 3_000;

interface Prepared {
  runId: string;
  clusterId: string;
  specVersion: number;
  spec: ClusterSpec;
  intent: RunIntent;
  /** Names of nodes that are in, but not in the spec any more. */
  dropped: string[];
}
/** The bundle that an application comes from. */
const sourceOf = ({ app: wish }: RunIntent, known: AppKnown | null | undefined): string[] => [wish?.bundle ?? known?.made?.bundle ?? []].flat();
const withNodes = (spec: ClusterSpec, nodes: NodeSpec[]): ClusterSpec => ({ ...spec, spec: { ...spec.spec, nodes } });

/** From the wish to the plan: first contact, then the plan, sealed. Done again from the start when the server died in between: nothing was changed. */
@Injectable()
export class PrepareRun {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly book!: RunBook;
  @Inject() private readonly checks!: CheckNodes;
  @Inject() private readonly artifacts!: ObtainArtifacts;
  @Inject() private readonly bundles!: Bundles;
  @Inject() private readonly apps!: ShowApps;
  private readonly busy = new Set<string>();

  /** Begins to listen, and takes up what a server before this one left in the middle. */
  async start(): Promise<void> {
    this.edges.ledger.onAppend((runId, events) => {
      if (events.some((e) => e.kind === 'RunRequested')) void this.run(runId);
    });
    for (const { runId } of await this.edges.ledger.open()) void this.run(runId);
  }

  /** Never throws: what goes wrong ends the run in words. */
  async run(runId: string): Promise<void> {
    if (this.busy.has(runId)) return;
    this.busy.add(runId);
    try {
      await this.prepare(runId);
    } catch (error) {
      if (this.edges.stopping.aborted) return;
      this.edges.log.error({ err: error, runId }, 'a run could not be planned');
      if (isTransient(error)) return this.later(runId);
      await this.end(runId, 'failed', `the run could not be planned: ${error instanceof Error ? error.message : String(error)}`).catch(() => this.later(runId));
    } finally {
      this.busy.delete(runId);
    }
  }

  /** The database is away: nothing was changed, so it is begun anew. */
  private later(runId: string): void {
    setTimeout(() => void this.run(runId), againMs).unref();
  }

  private async prepare(runId: string): Promise<void> {
    const view = await this.book.view(runId);
    if (view.state !== 'checking' || !view.intent) return;
    const { store } = this.edges;
    const run = await store.runs.find(runId);
    const spec = run && (await store.clusters.spec(run.clusterId, run.specVersion));
    if (!run || !spec) throw new Error(`the spec of run ${runId} is not in the database; restore it from a backup`);
    const { intent, clusterId } = run;
    const dropped = await this.droppedNodes(run, spec);
    const concerned = await this.concerned(run, spec, dropped);
    const contact = await this.checks.run({ runId, clusterId, spec: concerned, intent });
    if ((await this.book.view(runId)).cancelled) return this.end(runId, 'cancelled', 'cancelled before anything was changed');
    const blockers = contact.findings.filter((f) => f.severity === 'blocker');
    const made = await this.planOrRefusal(
      { runId, clusterId, specVersion: run.specVersion, spec: concerned, intent, dropped: dropped.map((n) => n.name) },
      contact,
    );
    if (blockers.length > 0) return this.blocked(run, blockers, made instanceof PlanRefused && !ofAbsence.has(made.code) ? made : null);
    if (made instanceof PlanRefused) return this.refused(runId, made);
    await store.runs.seal(runId, sealOf(this.edges.keys.planSeal, { runId, clusterId, plan: made, spec }));
    await this.book.record(runId, (now) => (now.state === 'checking' && !now.cancelled ? [{ kind: 'RunPlanned', body: { plan: made } }] : []));
    if ((await this.book.view(runId)).state === 'checking') await this.end(runId, 'cancelled', 'cancelled before anything was changed');
  }

  /** A run that adds nodes is about these and the ones that are in already: another newcomer's trouble must not stop it. */
  private async concerned({ clusterId, intent }: RunRecord, spec: ClusterSpec, dropped: NodeSpec[]): Promise<ClusterSpec> {
    if (intent.kind === 'uninstall' || intent.kind === 'remove-node') return withNodes(spec, [...spec.spec.nodes, ...dropped]);
    if (intent.kind !== 'add-node') return spec;
    const rows = await this.edges.store.nodes.brief(clusterId);
    const inAlready = new Set(rows.filter((r) => r.state === 'enrolled').map((r) => r.name));
    const nodes = spec.spec.nodes.filter((n) => inAlready.has(n.name) || intent.nodes.includes(n.name));
    return withNodes(spec, nodes);
  }

  /** Nodes that a later spec does not name any more: they stay as they are until they are removed, and no plan passes over them in silence. */
  private async droppedNodes({ clusterId, specVersion }: RunRecord, spec: ClusterSpec): Promise<NodeSpec[]> {
    const named = new Set(spec.spec.nodes.map((n) => n.name));
    const rows = await this.edges.store.nodes.brief(clusterId);
    const names = rows.filter((r) => r.state === 'enrolled' && !named.has(r.name)).map((r) => r.name);
    return names.length === 0 ? [] : this.edges.store.clusters.formerNodes(clusterId, specVersion, names);
  }

  private async planOrRefusal(...asked: Parameters<PrepareRun['plan']>): Promise<Plan | PlanRefused> {
    try {
      return await this.plan(...asked);
    } catch (error) {
      if (error instanceof PlanRefused) return error;
      throw error;
    }
  }

  private async plan(run: Prepared, contact: Contact): Promise<Plan> {
    const app = run.intent.app && (await this.apps.known(run.clusterId, run.intent.app));
    return plan({
      id: randomUUID(),
      clusterId: run.clusterId,
      spec: run.spec,
      specVersion: run.specVersion,
      facts: contact.facts,
      enrolled: contact.enrolled,
      absent: contact.absent,
      catalog: await this.artifacts.catalog(),
      unobtainable: await this.artifacts.unobtainable(run.spec),
      bundles: await this.bundles.read([...run.spec.spec.bundles.map((b) => bundleUse(b).name), ...sourceOf(run.intent, app)]),
      intent: run.intent,
      ...(app === undefined ? {} : { app }),
      ...(['install', 'add-node', 'finish'].includes(run.intent.kind) ? { appImages: await this.apps.images(run.clusterId) } : {}),
      dropped: run.dropped,
      serverHosts: this.edges.settings.advertise, // what the operator says, not what this host happens to have: a plan must not change by itself
      now: this.edges.now(),
      sha256: (text) => createHash('sha256').update(text).digest('hex'),
    });
  }

  /** Machines say no. What is wrong with the wish itself is told in the same run, so that nobody learns of it one by one. */
  private async blocked({ id: runId, intent }: RunRecord, blockers: Finding[], besides: PlanRefused | null): Promise<void> {
    const because = blockers.map((b) => `${b.node ?? 'the cluster'}: ${b.message}`);
    if (besides) return this.refused(runId, besides, because);
    const kept = intent.kind === 'add-node' ? ` (${intent.nodes.join(', ')} stays in the spec as planned: say \`node add\` again when that is mended, or \`node remove\`)` : ''; // prettier-ignore
    return this.end(runId, 'refused', `nothing was changed on any machine${kept}: ${because.join('; ')}`);
  }

  private async refused(runId: string, error: PlanRefused, besides: string[] = []): Promise<void> {
    const finding: Finding = { severity: 'blocker', code: error.code, message: error.message, remedy: error.remedy };
    await this.book.record(runId, (view) =>
      view.state === 'checking'
        ? [
            { kind: 'NodeChecked', body: { findings: [finding], via: 'ssh', reachable: true, message: '' } },
            { kind: 'RunEnded', body: { result: 'refused', because: `nothing was changed: ${[error.message, ...besides].join('; ')}` } },
          ]
        : [],
    );
  }

  private async end(runId: string, result: RunResult, because: string): Promise<void> {
    await this.book.record(runId, (view) => (view.state === 'checking' ? [{ kind: 'RunEnded', body: { result, because } }] : []));
  }
}
