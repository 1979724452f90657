import { enroll } from '@strata/wire';
import { keyPem, makeCsr, newKeys, parseJoinToken } from '@strata/pki';
import { AgentDisk } from './agent-disk';
import { type AgentParts, AgentProcess, type Identified, type Interference } from './agent-process';
import type { Machine } from './machine';

/** Comes with a join token as `stratad join` does: own key, CSR, a certificate for the token. @throws CallRefused in the server's words */
export async function enrollWith(server: { enrollPort: number }, tokenText: string, machine: { machineId: string; name: string }): Promise<Identified> {
  const { caPin, token } = parseJoinToken(tokenText);
  const keys = await newKeys();
  const about = { machineId: machine.machineId, hostKeys: [], agentVersion: '0.1.0', hostname: machine.name, agentTimeMs: Date.now() };
  const identity = await enroll({ addresses: [`127.0.0.1:${server.enrollPort}`], caPin }, { token, csrPem: await makeCsr(keys), ...about });
  return { identity, tls: { caPem: identity.caPem, certPem: identity.certificatePem, keyPem: await keyPem(keys.privateKey) } };
}

/** A node of a test: a machine, a disk, and an agent that systemd would start again whenever it dies. */
export class SimulatedAgent {
  readonly disk = new AgentDisk();
  readonly seen: AgentParts['seen'] = { orders: [], refused: [], dismissed: [] };
  /** How often it died by itself. */
  deaths = 0;
  readonly interference: Interference = { beforeTask: () => Promise.resolve(), dies: () => null, output: (_, output) => output };
  private process: AgentProcess | null = null;
  private off = false;

  constructor(
    readonly machine: Machine,
    readonly me: Identified,
  ) {}
  get name(): string {
    return this.machine.name;
  }
  get connected(): boolean {
    return this.process?.connected ?? false;
  }
  start(): void {
    this.off = false;
    this.process?.kill();
    const { disk, machine, interference, seen } = this;
    const died = (): void => {
      this.deaths += 1;
      setTimeout(() => (this.off ? undefined : this.start()), 50);
    };
    this.process = new AgentProcess({ ...this.me, disk, machine, interference, seen, died });
  }
  /** `kill -9`, and it is not started again. */
  stop(): void {
    this.off = true;
    this.process?.kill();
    this.process = null;
  }
  setCut(cut: boolean): void {
    this.process?.setCut(cut);
  }
  /** Hands it a message as if it came from the server. */
  replay: AgentProcess['take'] = (message) => this.process?.take(message) ?? Promise.reject(new Error(`${this.name} is off`));
  /** Says something to the server that its own rules would not say. */
  say: AgentProcess['send'] = (message) => this.process?.send(message) ?? Promise.reject(new Error(`${this.name} is off`));
}
