import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { canonicalJson, type ClusterSpec, Facts, type Finding, type NodeSpec, ofApps, ofStorage, type RunIntent } from '@strata/model';
import { readOnlyHost, SshError, SshMachine } from '@strata/host-ssh';
import { PlanRefused, precheckSteps } from '@strata/planner';
import { type Common, deadline, type Host, runTask, taskNamed } from '@strata/tasks';
import type { NodeRecord } from '@strata/store';
import { openSshSecrets } from '../bootstrap/ssh-secrets';
import { sshTarget } from '../bootstrap/ssh-target';
import { clock, realTimers } from '../serve/clock';
import { Edges } from '../serve/edges';
import { ProbePairs } from './probe-pairs';
import { RunBook } from './run-book';

export interface Contact {
  facts: Map<string, Facts>;
  enrolled: Map<string, string>; // node name -> node id
  absent: string[];
  findings: Finding[];
}
interface Met {
  node: NodeSpec;
  row: NodeRecord;
  facts: Facts | null;
  findings: Finding[];
  reachable: boolean;
  message: string;
  via: 'ssh' | 'agent';
}
interface Asked {
  runId: string;
  clusterId: string;
  spec: ClusterSpec;
  intent: RunIntent;
}
/** Failures of SSH after which the machine may simply be off: anything else is for the operator. */
const away = new Set(['unreachable', 'timeout', 'connection-lost']);
const factsWaitMs = 6_000;

/** First contact: what every machine is, and everything that speaks against an install, of all nodes at once. Changes nothing anywhere. */
@Injectable()
export class CheckNodes {
  constructor(
    private readonly edges: Edges,
    private readonly book: RunBook,
    private readonly pairs: ProbePairs,
  ) {}

  async run(asked: Asked): Promise<Contact> {
    const rows = new Map((await this.edges.store.nodes.list(asked.clusterId)).map((r) => [r.name, r]));
    const nodes = asked.spec.spec.nodes.flatMap((node) => {
      const row = rows.get(node.name);
      return row ? [{ node, row }] : [];
    });
    const machines = new Map<string, SshMachine>();
    try {
      const met = await Promise.all(nodes.map((n) => this.meet(n, asked, machines)));
      const probing = this.probe(asked, met, machines);
      const looked = await Promise.all(met.map((m) => this.look(m, met, { asked, machine: machines.get(m.node.name) }))).catch(async (error: unknown) => {
        await probing.catch(() => undefined);
        throw error;
      });
      const between = await probing;
      for (const m of looked) await this.write(asked.runId, m);
      return {
        facts: new Map(looked.flatMap((m) => (m.facts ? [[m.node.name, m.facts] as const] : []))),
        enrolled: new Map(looked.flatMap((m) => (m.row.state === 'enrolled' ? [[m.node.name, m.row.id] as const] : []))),
        absent: looked.filter((m) => !m.reachable).map((m) => m.node.name),
        findings: [...looked.flatMap((m) => m.findings), ...between],
      };
    } finally {
      for (const machine of machines.values()) machine.close();
    }
  }

  private async meet({ node, row }: { node: NodeSpec; row: NodeRecord }, asked: Asked, machines: Map<string, SshMachine>): Promise<Met> {
    const known = Facts.safeParse(row.facts).data ?? null;
    const met = { node, row, facts: known, findings: [], reachable: true, message: '' };
    if (row.state === 'enrolled') return this.meetAgent(met);
    // without an agent there is nothing of ours to take back or to look at: such a node is not missed
    if (['remove-node', 'uninstall'].includes(asked.intent.kind) || ofStorage(asked.intent.kind) || ofApps(asked.intent.kind))
      return { ...met, via: 'agent', message: 'it has no agent: nothing of ours is on it' };
    if (!node.ssh) return { ...met, facts: null, via: 'agent', reachable: false, message: 'it has not joined yet' };
    try {
      const secrets = openSshSecrets(this.edges.keys.master, row.id, row.sshSecrets);
      const machine = await SshMachine.open(sshTarget(node, secrets, this.edges.stopping));
      machines.set(node.name, machine);
      if (machine.hostKey.accepted === 'new')
        await this.edges.store.audit.record({
          by: 'server',
          action: 'ssh.host-key.accepted',
          object: `node/${node.name}`,
          body: { fingerprint: machine.hostKey.fingerprint },
        });
      const facts = await readOnlyHost(machine).facts();
      await this.edges.store.nodes.recordFacts(row.id, { facts, digest: createHash('sha256').update(canonicalJson(facts)).digest('hex') });
      return { ...met, via: 'ssh', facts };
    } catch (error) {
      if (!(error instanceof SshError)) throw error;
      if (away.has(error.code)) return { ...met, via: 'ssh', facts: null, reachable: false, message: error.message };
      return {
        ...met,
        via: 'ssh',
        facts: null,
        findings: [{ severity: 'blocker', code: `ssh.${error.code}`, message: error.message, remedy: error.remedy, node: node.name }],
        message: error.message,
      };
    }
  }

  /** An enrolled node: its session tells. One that has none after a moment is absent: its steps come in the run that finishes it. */
  private async meetAgent(met: Omit<Met, 'via'>): Promise<Met> {
    const factsOf = (row: NodeRecord): Facts | null => Facts.safeParse(row.facts).data ?? null;
    const here = (await this.edges.sessions.soon(met.row, this.edges, factsWaitMs)) !== null;
    const began = this.edges.now();
    let row = (await this.edges.store.nodes.find(met.row.id)) ?? met.row;
    // a session brings its facts within moments of its Hello
    while (here && factsOf(row) === null && this.edges.now() - began < factsWaitMs) {
      await clock.sleep(100, this.edges.stopping);
      row = (await this.edges.store.nodes.find(row.id)) ?? row;
    }
    const facts = factsOf(row);
    if (facts && this.edges.sessions.of(row.id)) return { ...met, row, via: 'agent', facts };
    const silentS = Math.round((this.edges.now() - (row.lastSeenAt?.getTime() ?? 0)) / 1000);
    return { ...met, row, via: 'agent', facts, reachable: false, message: `its agent has been silent for ${silentS} s` };
  }

  /** Who reaches whom among the machines that were met over SSH, and how safe their disks are. */
  private async probe(asked: Asked, all: readonly Met[], machines: ReadonlyMap<string, SshMachine>): Promise<Finding[]> {
    const met = all.flatMap((m) => {
      const machine = machines.get(m.node.name);
      return machine && m.facts ? [{ name: m.node.name, facts: m.facts, machine }] : [];
    });
    if (met.length === 0) return [];
    const { matrix, findings } = await this.pairs.run({ spec: asked.spec, met, full: asked.intent.until === 'precheck' });
    const told = (await this.edges.ledger.read(asked.runId)).some((e) => e.kind === 'PairsProbed');
    if (!told) await this.book.record(asked.runId, (view) => (view.state === 'checking' ? [{ kind: 'PairsProbed', body: { matrix, findings } }] : []));
    return findings;
  }

  /** All prechecks of a machine that is no node yet. */
  private async look(met: Met, all: readonly Met[], by: { asked: Asked; machine: SshMachine | undefined }): Promise<Met> {
    if (!by.machine || !met.facts) return met;
    const facts = met.facts;
    const named = (findings: readonly Finding[]): Finding[] => findings.map((f) => ({ ...f, node: f.node ?? met.node.name }));
    try {
      const world = { facts: new Map(all.flatMap((m) => (m.facts ? [[m.node.name, m.facts] as const] : []))), now: this.edges.now() };
      const checks = precheckSteps(by.asked.spec, met.node.name, world);
      const reads = readOnlyHost(by.machine);
      // how safe the disk is, the pair probe measures: once, and with etcd's own figure
      const mounts = { ...reads.mounts, syncLatency: () => Promise.reject(new Error('the pair probe measures it')) };
      const host: Host = { ...reads, mounts, facts: () => Promise.resolve(facts) };
      const found = await Promise.all(checks.map((check) => this.check(check, host)));
      return { ...met, findings: named(found.flat()) };
    } catch (error) {
      if (!(error instanceof PlanRefused)) throw error;
      return { ...met, findings: named([{ severity: 'blocker', code: error.code, message: error.message, remedy: error.remedy }]) };
    }
  }

  private async check(precheck: { task: string; input: object }, host: Host): Promise<Finding[]> {
    const task = taskNamed(precheck.task);
    const limit = deadline('start', task.timeoutMs, realTimers);
    const signal = AbortSignal.any([limit.signal, this.edges.stopping]);
    const common: Common = { clock, signal, progress: limit.alive, log: () => undefined, secret: () => '' };
    const journal = { storedBefore: () => undefined, before: () => Promise.resolve() };
    const ended = await runTask(task, { action: 'check', input: precheck.input }, { ports: { host }, common, journal }).finally(limit.end);
    const { failure, findings } = ended.result;
    if (!failure || failure.code === 'check-refused') return findings;
    return [
      {
        severity: 'warning',
        code: `${precheck.task}.unknown`,
        message: `${task.title}: this could not be looked at: ${failure.message}`,
        remedy: failure.remedy,
      },
    ];
  }

  private async write(runId: string, met: Met): Promise<void> {
    const body = { findings: met.findings, via: met.via, reachable: met.reachable, message: met.message };
    const told = (await this.edges.ledger.read(runId)).some((e) => e.kind === 'NodeChecked' && e.node === met.node.name);
    if (!told) await this.book.record(runId, (view) => (view.state === 'checking' ? [{ kind: 'NodeChecked', node: met.node.name, body }] : []));
  }
}
