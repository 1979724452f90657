import { Inject, Injectable } from '@nestjs/common';
import { type Evidence, EvidenceSet, newestPart, type RunEvent } from '@strata/model';
import { renderPlan } from '@strata/planner';
import type { RunRecord } from '@strata/store';
import { bounded, Scrub, scrubbed } from '@strata/tasks';
import { openSshSecrets } from '../bootstrap/ssh-secrets';
import { kubeconfigContext, ShowClusters } from '../clusters/show-clusters';
import { ShowNodes } from '../nodes/show-nodes';
import { Edges } from '../serve/edges';
import { Asks } from '../sessions/asks';
import { attempt, controlEvidence, controlSecrets } from './control-evidence';

const runsKept = 12;
const logsOfSteps = 25; // a run
const silenceMs = 18_000;

/** What the server and the nodes give to a support archive, each scrubbed of every secret that this server can open. */
@Injectable()
export class GatherSupport {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly clusters!: ShowClusters;
  @Inject() private readonly nodes!: ShowNodes;
  @Inject() private readonly asks!: Asks;

  /** The control host: its files, its clusters and nodes, and the ledger, plans and step logs of the newest runs. */
  async controlHost(by: string): Promise<EvidenceSet> {
    await this.edges.store.audit.record({ by, action: 'support.gather', object: 'control-host', body: {} });
    const all = [...(await controlEvidence(this.edges.settings.home)), ...(await this.known()), ...(await this.runs())];
    return scrubbed(bounded(all), new Scrub(await this.secrets()));
  }
  /** One node, by its agent. One without a session is not waited for: `missing` says since when. @throws ProblemError 404 */
  async node(cluster: string, name: string, by: string): Promise<EvidenceSet> {
    const row = await this.nodes.record(cluster, name);
    await this.edges.store.audit.record({ by, action: 'support.gather', object: `node/${name}`, body: {} });
    const none = (why: string): EvidenceSet => ({ evidence: [{ path: 'all', missing: why }], scrubbed: 0 });
    const session = await this.edges.sessions.soon(row, this.edges);
    if (!session) return none(row.state === 'enrolled' ? `its agent has no session (last heard ${row.lastSeenAt?.toISOString() ?? 'never'})` : 'it has no agent');
    try {
      const said = EvidenceSet.parse(await this.asks.ask(session, { what: 'evidence' }, silenceMs));
      const again = scrubbed(said.evidence, new Scrub(await this.secrets())); // what the node cannot know: the server's own
      return { ...again, scrubbed: again.scrubbed + said.scrubbed };
    } catch (error) {
      return none(error instanceof Error ? error.message : String(error));
    }
  } // prettier-ignore

  private async known(): Promise<Evidence[]> {
    const json = (value: unknown): { text: string; cut: boolean } => newestPart(JSON.stringify(value, null, 1));
    const clusters = await this.edges.store.clusters.list();
    return Promise.all([
      attempt('clusters.json', async () => json(await this.clusters.all())),
      ...clusters.flatMap((c) => [
        attempt(`clusters/${c.name}/nodes.json`, async () => json(await this.nodes.all(c.id))),
        attempt(`clusters/${c.name}/facts.json`, async () => json((await this.edges.store.nodes.list(c.id)).map((n) => ({ name: n.name, facts: n.facts })))),
      ]),
    ]);
  }

  private async runs(): Promise<Evidence[]> {
    const { runs } = await this.edges.store.runs.list({ limit: runsKept });
    const found: Evidence[] = [await attempt('runs.json', () => Promise.resolve(newestPart(JSON.stringify(runs, null, 1))))];
    for (const run of runs) found.push(...(await this.run(run)));
    return found;
  }
  private async run(run: RunRecord): Promise<Evidence[]> {
    const at = `runs/${run.startedAt.toISOString().slice(0, 19).replaceAll(':', '-')}-${run.intent.kind}-${run.id.slice(0, 8)}`;
    let events: RunEvent[] = [];
    const ledger = await attempt(`${at}/events.jsonl`, async () => {
      events = await this.edges.ledger.read(run.id);
      return newestPart(events.map((e) => JSON.stringify(e.kind === 'RunPlanned' ? { ...e, body: 'see plan.txt' } : e)).join('\n'));
    });
    const planned = events.find((e) => e.kind === 'RunPlanned');
    const plan = planned?.kind === 'RunPlanned' ? [await attempt(`${at}/plan.txt`, () => Promise.resolve(newestPart(renderPlan(planned.body.plan))))] : [];
    const bad = events.flatMap((e) => (e.kind === 'OrderSettled' && e.step !== null && ['failed', 'lost', 'refused'].includes(e.body.outcome) ? [e.step] : []));
    const last = events.flatMap((e) => (e.kind === 'OrderStarted' && e.step !== null ? [e.step] : [])).slice(-8);
    const logs = [...new Set([...bad, ...last])].slice(0, logsOfSteps).map((step) =>
      attempt(`${at}/steps/${step.replaceAll('/', '.')}.log`, async () => {
        const { lines } = await this.edges.store.logs.read({ runId: run.id, stepKey: step, limit: 2_000 });
        return newestPart(lines.map((l) => `${new Date(l.at).toISOString()} ${l.attempt} ${l.stream}: ${l.text}`).join('\n'));
      }),
    );
    return [ledger, ...plan, ...(await Promise.all(logs))];
  } // prettier-ignore

  /** Everything secret that this server has or can open. */
  private async secrets(): Promise<string[]> {
    const { store, keys, settings } = this.edges;
    const found = await controlSecrets(settings.home);
    for (const cluster of await store.clusters.list()) {
      const kept = await store.clusters.find(cluster.id);
      if (kept?.kubeconfig) found.push(...ofKubeconfig(keys.master.open(kept.kubeconfig, kubeconfigContext(cluster.id)).toString('utf8')));
      for (const node of await store.nodes.list(cluster.id)) {
        const ssh = openSshSecrets(keys.master, node.id, node.sshSecrets);
        if (ssh) for (const [name, value] of Object.entries(ssh)) if (name !== 'knownHosts' && typeof value === 'string') found.push(value);
      }
    }
    return found;
  }
}

function ofKubeconfig(text: string): string[] {
  const values = [...text.matchAll(/(?:client-key-data|token|password):\s*"?([^\s"]+)/g)].map((m) => m[1] ?? '');
  return values.flatMap((v) => [v, Buffer.from(v, 'base64').toString('utf8')]);
}
