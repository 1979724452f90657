import { Injectable } from '@nestjs/common';
import { NodeProbe, type SshMachine } from '@strata/host-ssh';
import type { ClusterSpec, Facts, Finding, PairCell, PairMatrix, PairNode, SyncFigures } from '@strata/model';
import { judgePairs, pairPlan, type PairPlanNode, syncFigures } from '@strata/planner';
import { Edges } from '../serve/edges';
import { bandwidths } from './pair-bandwidth';
import { cellsOf, errnoInUse, type Pair, type Prepared, type Ready } from './pair-tries';

/** A machine that was met over SSH. */
export interface MetMachine {
  name: string;
  facts: Facts;
  machine: SshMachine;
}
interface Asked {
  spec: ClusterSpec;
  met: readonly MetMachine[];
  /** Ports of every role, and bandwidth: for who wants to see all; an install only wants to know whether it can. */
  full: boolean;
}
const syncWrites = 100;
/** Beyond this many nodes an install's look keeps only what is wrong: a ledger is no place for thousands of wells. */
const mostKept = 12;

/** Who reaches whom: a small program on each machine listens, tries and measures; it writes nothing, and is gone when this is over. */
@Injectable()
export class ProbePairs {
  constructor(private readonly edges: Edges) {}

  async run({ spec, met, full }: Asked): Promise<{ matrix: PairMatrix; findings: Finding[] }> {
    const began = this.edges.now();
    const facts = new Map(met.map((m) => [m.name, m.facts]));
    const plan = pairPlan(spec, { facts, full });
    const { ready, why } = await this.prepare(plan, met);
    try {
      const disks = this.disks([...ready.values()], full);
      const pairs = plan.pairs.filter((p): p is Pair => ready.has(p.from.name) && ready.has(p.to.name));
      const cells = await cellsOf(pairs, { ready, why }, full);
      const speeds = full ? await bandwidths(cells, ready) : new Map<PairCell, number>();
      for (const [cell, mbit] of speeds) cell.mbit = mbit;
      const figures = await disks;
      this.edges.stopping.throwIfAborted(); // what broke off with us is no finding
      const nodes = plan.nodes.map((n) => nodeOf(n, { ready: ready.get(n.name), why: why.get(n.name) ?? '', disk: figures.get(n.name) ?? null }));
      const tried: PairMatrix = { full, tookMs: Math.max(0, Math.round(this.edges.now() - began)), ports: plan.ports.map(({ proto, port, what }) => ({ proto, port, what })), nodes, pairs: cells };
      const sniffs = new Set([...ready].filter(([, r]) => r.opened.sniffs).map(([name]) => name));
      const { matrix, findings } = judgePairs(tried, { spec, facts, sniffs });
      const kept = full || nodes.length <= mostKept ? matrix.pairs : matrix.pairs.filter((c) => c.severity !== null);
      return { matrix: { ...matrix, pairs: kept }, findings };
    } finally {
      await Promise.all([...ready.values()].map((r) => r.probe.close()));
    }
  } // prettier-ignore

  /** The probe on every machine, and its listeners. A machine where that does not work says why, and the others go on. */
  private async prepare(plan: ReturnType<typeof pairPlan>, met: readonly MetMachine[]): Promise<Prepared> {
    const all: Prepared = { ready: new Map(), why: new Map() };
    await Promise.all(
      plan.nodes.map(async (node) => {
        const at = met.find((m) => m.name === node.name);
        if (!at || node.address === null) return void all.why.set(node.name, 'it is not clear which address it has');
        let probe: NodeProbe | null = null;
        try {
          probe = await NodeProbe.start(at.machine, this.edges.stopping);
          if (!probe) return void all.why.set(node.name, 'it has neither Perl nor Python');
          const opened = await probe.talk.listen(node.name, node.address, plan.ports);
          all.ready.set(node.name, { node: { ...node, address: node.address }, probe, opened });
        } catch (error) {
          all.why.set(node.name, error instanceof Error ? error.message : String(error));
          await probe?.close();
        }
      }),
    );
    return all;
  }

  private async disks(ready: readonly Ready[], full: boolean): Promise<Map<string, SyncFigures>> {
    const found = await Promise.all(
      ready.map(async ({ node, probe }) => [node.name, syncFigures(node.dataPath, await probe.talk.sync(node.dataPath, syncWrites, full ? 3_000 : 1_200).catch(() => []))] as const),
    );
    return new Map(found.flatMap(([name, figures]) => (figures ? [[name, figures] as const] : [])));
  } // prettier-ignore
}

const nodeOf = (n: PairPlanNode, is: { ready: Ready | undefined; why: string; disk: SyncFigures | null }): PairNode => ({
  name: n.name,
  role: n.role,
  address: n.address,
  system: n.system,
  probe: is.why === '' ? (is.ready?.probe.language ?? null) : null,
  why: is.why,
  taken: (is.ready?.opened.listeners ?? []).filter((l) => l.errno === errnoInUse).map(({ proto, port }) => ({ proto, port })),
  disk: is.disk,
});
