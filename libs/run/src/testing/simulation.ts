import type { Plan, RunEvent, RunIntent } from '@strata/model';
import { resumeRun } from '../changes';
import { foldAll } from '../fold';
import type { RunView } from '../view';
import { MemoryLedger } from './memory-ledger';
import { opening } from './plans';
import { type Execute, type Judge, SimAgent } from './sim-agent';
import { SimServer } from './sim-server';
import { VirtualTime } from './virtual-time';

export interface SimulationOptions {
  seed: number;
  /** Resolves when all promises that can settle have. */
  flush: () => Promise<void>;
  execute: Execute;
  judge: Judge;
  /** Nodes whose agents run from the beginning; others come by `enroll`. */
  enrolled: readonly string[];
  /** How often each order is delivered. */
  deliveries?: () => number;
  /** Asked at each journal write and effect of an agent: whether it dies before or after that. */
  agentDies?: (point: string) => 'before' | 'after' | null;
  /** Asked after each event: whether the server dies there. */
  serverDies?: (event: RunEvent) => boolean;
  pools?: Readonly<Record<string, number>>;
  nodeWaitMs?: number;
  onFailure?: () => 'hold' | 'unwind';
}

export interface RunOptions {
  intent?: Partial<RunIntent>;
  /** Virtual time within which it must end. */
  limitMs?: number;
  /** How often the operator opens the run again when it ends before all is done. */
  resumes?: number;
  /** Called when it has begun. */
  meanwhile?: (runId: string) => void;
}

/** A server, its agents and an operator on virtual time: executes plans through the engine, with the faults that are asked for. */
export class Simulation {
  readonly time: VirtualTime;
  readonly ledger: MemoryLedger;
  readonly server: SimServer;
  readonly agents = new Map<string, SimAgent>();
  private epoch = 1;
  private runs = 0;

  constructor(private readonly options: SimulationOptions) {
    this.time = new VirtualTime(options.seed, options.flush);
    this.ledger = new MemoryLedger(this.time.now);
    const { nodeWaitMs = 600_000, onFailure = () => 'hold', pools = {} } = options;
    this.server = new SimServer({
      time: this.time,
      ledger: this.ledger,
      agents: this.agents,
      execute: options.execute,
      deliveries: options.deliveries ?? (() => 1),
      dies: options.serverDies ?? (() => false),
      restartMs: 700,
      situation: { nodeWaitMs, onFailure, pools },
    });
    this.server.start();
    for (const node of options.enrolled) this.enroll(node);
  }
  /** A machine becomes a node, its agent starts. Harmless to repeat. */
  enroll(node: string): void {
    if (this.agents.has(node)) return;
    const { execute, judge, agentDies = () => null } = this.options;
    const agent = new SimAgent({ node, time: this.time, uplink: () => this.server, execute, judge, dies: agentDies, restartMs: 1_500 });
    this.agents.set(node, agent);
    agent.start();
  }
  /** A node's agent is removed from its machine, with its journal. */
  retire(node: string): void {
    this.agents.get(node)?.retire();
    this.agents.delete(node);
  }
  /** Runs a plan to its end, through everything that happens meanwhile. @throws Error if it does not end within `limitMs` of virtual time */
  async run(plan: Plan, options: RunOptions = {}): Promise<RunView> {
    const runId = `r${++this.runs}`;
    this.ledger.begin(runId, plan.clusterId);
    let resumes = options.resumes ?? 0;
    let ended = false;
    this.ledger.onAppend = (id, events) => {
      const last = events.at(-1);
      if (id !== runId || last?.kind !== 'RunEnded') return;
      if (resumes > 0 && ['failed', 'degraded', 'cancelled'].includes(last.body.result)) {
        resumes -= 1;
        this.time.after(1_000, () => this.resume(runId));
      } else ended = true;
    };
    const [requested, planned] = opening(plan, options.intent) as [Parameters<MemoryLedger['add']>[1], Parameters<MemoryLedger['add']>[1]];
    await this.ledger.add(runId, { ...requested, body: { ...requested.body, epoch: this.epoch++ } } as typeof requested, planned);
    this.time.after(0, () => this.server.change(runId, () => []));
    options.meanwhile?.(runId);
    await this.time.until(() => ended, options.limitMs ?? 48 * 3600_000);
    return foldAll(runId, this.ledger.all(runId));
  }
  /** The operator asks again until it is done: the server may be down, or die while it answers. */
  private resume(runId: string): Promise<void> {
    if (!this.ledger.hasEnded(runId)) return Promise.resolve();
    const epoch = this.epoch++;
    this.time.after(3_000, () => this.resume(runId));
    return this.server.change(runId, (view) => (view.state === 'ended' ? resumeRun(view, 'operator', Math.max(epoch, view.epoch + 1)) : []));
  }
}
