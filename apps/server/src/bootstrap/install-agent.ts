import { stat } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';
import { SshError, SshMachine, uploadPacked } from '@strata/host-ssh';
import { hashToken, joinTokenText, newToken } from '@strata/pki';
import { TaskError, TransferMeter } from '@strata/tasks';
import type { NodeRecord } from '@strata/store';
import { Edges } from '../serve/edges';
import { type AgentFile, AgentFiles } from './agent-file';
import { patientLine } from './patient-line';
import { openSshSecrets } from './ssh-secrets';
import { sshTarget } from './ssh-target';

interface Doing {
  progress: (fraction: number | null, note: string) => void;
  signal: AbortSignal;
}
/** Where the agent may live: the first that lets programs run. */
const homes = ['/usr/local/bin', '/opt/strata/bin'];
/** A machine that did not become a node keeps no program of ours: nobody would take it away. */
const unlessJoined = '[ -e /etc/systemd/system/stratad.service ] || rm -f "$1"';
const tokenLifeMs = 15 * 60_000;
const sessionWaitMs = 90_000;

/** Turns a machine that is reached by SSH into a node: agent uploaded, enrolled with a token of its own on standard input, session open. Doing it again is fine. */
@Injectable()
export class InstallAgent {
  constructor(
    private readonly edges: Edges,
    private readonly files: AgentFiles,
  ) {}

  /** @throws TaskError: what SSH said, or that the agent does not come up. */
  async run(at: { clusterId: string; runId: string; name: string }, doing: Doing): Promise<void> {
    try {
      await this.install(at, doing);
    } catch (error) {
      if (!(error instanceof SshError)) throw error;
      const retry = ['unreachable', 'timeout', 'connection-lost', 'upload-failed'].includes(error.code);
      throw new TaskError(`ssh.${error.code}`, error.message, { remedy: error.remedy, retry, cause: error.cause });
    }
  }

  private async install(at: { clusterId: string; runId: string; name: string }, doing: Doing): Promise<void> {
    const { store, keys } = this.edges;
    const row = await store.nodes.named(at.clusterId, at.name);
    const run = await store.runs.find(at.runId);
    const spec = run && (await store.clusters.spec(at.clusterId, run.specVersion))?.spec.nodes.find((n) => n.name === at.name);
    if (!row || !spec) throw new TaskError('unknown-node', `node ${at.name} is not in the spec of this run`, { remedy: 'plan again: strata apply' });
    if (row.state === 'enrolled' && (await this.edges.sessions.when(row.id, 'open', { ms: 10_000, signal: doing.signal }))) return;
    doing.progress(0, 'connecting');
    const file = await this.files.get();
    const open = (): Promise<SshMachine> => SshMachine.open(sshTarget(spec, openSshSecrets(keys.master, row.id, row.sshSecrets), doing.signal));
    const line = patientLine(open, await open());
    try {
      const { machine } = line;
      if (machine.hostKey.accepted === 'new')
        await this.edges.store.audit.record({
          by: 'server',
          action: 'ssh.host-key.accepted',
          object: `node/${row.name}`,
          body: { fingerprint: machine.hostKey.fingerprint },
        });
      doing.progress(0.05, 'looking for a way from the node to this server');
      const candidates = [...new Set([...this.edges.settings.advertise, ...(machine.localAddress ? [machine.localAddress] : []), ...this.edges.reach.hosts])];
      const hosts = await this.answering(machine, candidates);
      this.edges.reach.reachedAt.set(row.id, hosts);
      const binary = await line.over((over) => this.place(over, file, { ...doing, progress: line.heard(doing.progress) }), doing);
      doing.progress(0.8, 'enrolling');
      await this.join(line.machine, { row, binary, hosts }, doing).catch(async (error: unknown) => {
        await line.machine.exec(['sh', '-c', unlessJoined, 'clean', binary]).catch(() => undefined);
        throw error;
      });
    } finally {
      line.machine.close();
    }
    doing.progress(0.9, 'waiting for the agent to open its session');
    if (await this.edges.sessions.when(row.id, 'open', { ms: sessionWaitMs, signal: doing.signal })) return;
    throw new TaskError('agent-silent', `the agent of ${row.name} was installed and enrolled, but opened no session within ${sessionWaitMs / 1000} s`, {
      remedy: `look at \`journalctl -u stratad\` on ${row.name}, and check that it reaches port ${this.edges.reach.ports.agents} of this server`,
      retry: true,
    });
  }

  /** Which of our addresses takes a connection from there. The agent itself then checks that it is us, by the CA's pin. */
  private async answering(machine: SshMachine, candidates: string[]): Promise<string[]> {
    const port = String(this.edges.reach.ports.enrollment);
    const tried = await Promise.all(
      candidates.map(async (host) => {
        const probe = await machine.exec(['timeout', '3', 'bash', '-c', 'exec 3<>"/dev/tcp/$1/$2"', 'reach', host, port], { timeoutMs: 15_000 });
        return probe.code === 0 ? host : null;
      }),
    );
    const hosts = tried.filter((h) => h !== null);
    if (hosts.length > 0) return hosts;
    throw new TaskError('server-unreachable', `${machine.name} reaches none of ${candidates.map((h) => `${h}:${port}`).join(', ')}`, {
      remedy: `open ports ${port}, ${this.edges.reach.ports.agents} and ${this.edges.reach.ports.artifacts} of this host to the node, or name the right address with --advertise`,
      retry: true,
    });
  }

  private async place(machine: SshMachine, file: AgentFile, doing: Doing): Promise<string> {
    const said: string[] = [];
    for (const dir of homes) {
      const meter = new TransferMeter((await stat(file.packed)).size);
      const progress = (bytes: number, total: number): void =>
        doing.progress(0.1 + (0.7 * bytes) / total, meter.tell('sending the agent, packed', bytes, performance.now()));
      const path = `${dir}/stratad`;
      const there = await machine.exec(['sha256sum', path], { timeoutMs: 30_000 });
      if (!there.stdout.startsWith(file.sha256)) await uploadPacked(machine, path, { ...file, mode: 0o755, signal: doing.signal, progress });
      const runs = await machine.exec([path, '--version'], { timeoutMs: 30_000 });
      if (runs.code === 0) return path;
      said.push(`${path}: ${runs.stderr.trim() || `exit status ${runs.code}`}`);
      await machine.exec(['rm', '-f', path]);
    }
    throw new TaskError('agent-does-not-run', `the agent does not run on ${machine.name}`, {
      remedy: 'look at the mount options (noexec) and the architecture of that machine',
      detail: said,
    });
  }

  private async join(machine: SshMachine, to: { row: NodeRecord; binary: string; hosts: string[] }, doing: Doing): Promise<void> {
    const { keys, store, reach } = this.edges;
    const said: string[] = [];
    for (const host of to.hosts) {
      const token = newToken('join');
      const { id: nodeId, clusterId, role } = to.row;
      await store.enrollTokens.add({ hash: hashToken(token), clusterId, nodeId, role, expiresAt: new Date(this.edges.now() + tokenLifeMs) });
      const argv = [to.binary, 'join', '--server', `${host}:${reach.ports.enrollment}`, '--ca-pin', keys.authority.pin, '--name', to.row.name] as const;
      const joined = await machine.exec(argv, { input: `${joinTokenText(keys.authority.pin, token)}\n`, timeoutMs: 60_000, signal: doing.signal });
      if (joined.code === 0) return;
      said.push(...joined.stderr.trim().split('\n').slice(-6));
    }
    throw new TaskError('enrollment-failed', `\`stratad join\` failed on ${to.row.name}`, {
      remedy: 'mend what the agent says, then retry the step',
      retry: true,
      detail: said,
    });
  }
}
