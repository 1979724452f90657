import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerEvent } from './api';
import { planned } from './cluster';
import type { RunWatch } from './run-watch';
import type { World } from './world';

export type Victim = 'agent' | 'server';
/** What one step of a plan went through. */
export interface Struck {
  step: string;
  /** Who died at its start; null for a step that never began. */
  by: Victim | null;
  /** Kills between the step's release and its outcome; 0 for one that was over before the kill that its start called for. */
  inFlight: number;
  /** From its release to its outcome. */
  tookMs: number;
}

const unitFolders = ['/sys/fs/cgroup/systemd', '/sys/fs/cgroup/unified', '/sys/fs/cgroup'];
/** Where the processes of a node's agent are listed, on this machine: a shell in the node would take longer than most steps do. */
function agentProcesses(world: World, node: string): string {
  const own = /^(?:0:|\d+:name=systemd):(\/.*)$/m.exec(readFileSync(`/proc/${world.lab.node(node).pid ?? 0}/cgroup`, 'utf8'))?.[1] ?? '';
  const folders = unitFolders.map((at) => join(at, dirname(own), 'system.slice/stratad.service'));
  const found = folders.find((folder) => existsSync(folder));
  if (own === '' || found === undefined) throw new Error(`the agent of ${node} has no control group in ${folders.join(', ')}`);
  return join(found, 'cgroup.procs');
}
/** `kill -9` of a node's agent and its children. Says whether there was any. */
function killAgent(world: World, node: string): boolean {
  const pids = readFileSync(agentProcesses(world, node), 'utf8').split('\n').filter(Boolean).map(Number); // prettier-ignore
  for (const pid of pids)
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it ended by itself
    }
  return pids.length > 0;
}

/** Kills agents, or the server, of a run: at the start of each of its steps, or as soon after it as there is something to kill. */
export class Strikes {
  private readonly kills: { victim: Victim; node: string | null; at: number }[] = [];
  private readonly victims = new Map<string, Victim>(); // by step
  private next = 0;

  /** @param choose who dies at the start of the nth step */
  constructor(
    private readonly world: World,
    private readonly watch: RunWatch,
    private readonly choose: (nth: number) => Victim,
  ) {}

  /** Until the run is over. */
  async all(): Promise<void> {
    while (!this.watch.over) {
      const event = this.watch.events[this.next];
      if (event === undefined) {
        await sleep(2);
        continue;
      }
      this.next += 1;
      if (event.kind !== 'OrderStarted' || event.step === null || this.victims.has(event.step)) continue;
      const victim = this.choose(this.victims.size);
      this.victims.set(event.step, victim);
      if (this.times(event.step, victim) > 0) continue; // a kill for another step met it too
      await this.strike(victim, event);
    }
  }
  private async strike(victim: Victim, event: LedgerEvent): Promise<void> {
    if (victim === 'server') {
      const pid = this.world.server.kill('server');
      this.kills.push({ victim, node: null, at: Date.now() });
      await this.world.server.backAs('server', pid);
      return;
    }
    const nodes = event.node === null ? this.world.lab.nodes.map((n) => n.name) : [event.step?.split('/')[0] ?? ''];
    for (const node of nodes) {
      const end = performance.now() + 30_000;
      while (!killAgent(this.world, node)) {
        if (performance.now() > end) throw new Error(`the agent of ${node} did not come back in 30 s`);
        await sleep(2);
      }
      this.kills.push({ victim, node, at: Date.now() });
    }
  }

  /** What each step of the plan met, as the ledger's times and ours say: it is one clock. */
  table(): Struck[] {
    return planned(this.watch.events).map(({ key }) => {
      // a server that dies before it could note a step's start hears of its end alone: that kill met it all the same
      const by = this.victims.get(key) ?? (['server', 'agent'] as const).find((victim) => this.times(key, victim) > 0) ?? null;
      const started = this.watch.events.find((e) => (e.kind === 'OrderStarted' || e.kind === 'OrderReleased') && e.step === key);
      const ended = this.watch.events.findLast((e) => e.kind === 'OrderSettled' && e.step === key);
      return { step: key, by, inFlight: by === null ? 0 : this.times(key, by), tookMs: (ended?.at ?? Number.NaN) - (started?.at ?? Number.NaN) };
    });
  }
  private times(step: string, victim: Victim): number {
    const of = (kind: string): LedgerEvent[] => this.watch.events.filter((e) => e.kind === kind && e.step === step);
    const [from, to] = [of('OrderReleased')[0]?.at ?? Infinity, of('OrderSettled').at(-1)?.at ?? Infinity];
    const node = /^n\d+/.exec(step)?.[0] ?? null;
    return this.kills.filter((k) => k.victim === victim && k.at >= from && k.at <= to && (k.node === null || node === null || k.node === node)).length;
  }
}
/** The table as text, for people. */
export const strikeWords = (rows: readonly Struck[]): string =>
  rows.map((r) => `    ${(r.by ?? '-').padEnd(8)}${r.step.padEnd(36)}${String(r.tookMs).padStart(8)} ms  ${r.inFlight > 0 ? `struck ${r.inFlight} times` : 'over before it was struck'}`).join('\n'); // prettier-ignore
