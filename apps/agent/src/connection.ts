import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { keyPem, makeCsr, newKeys, renewalDue, validityOf } from '@strata/pki';
import { localHost } from '@strata/host-local';
import { tasks } from '@strata/tasks';
import { AgentSession, CallRefused, type FromAgent, renew, type ToAgent } from '@strata/wire';
import { type AgentConfig, configOf, readTls, type Tls, writeConfig, writeTls } from './config';
import { FactsWatch } from './facts-watch';
import type { Journal } from './journal';
import { answerLook, lookNames } from './looks';
import type { Orders } from './orders';
import { ownTrouble } from './own-trouble';
import type { Paths } from './paths';
import { MountWatch } from './mount-watch';
import { learnt } from './server-addresses';
import { takeAway } from './unit';
import { version } from './version';

const bootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
const renewalLookMs = 6 * 3600_000;
const firstRetryMs = 200;

/** Keeps the agent's one session open for as long as the agent lives: reconnects with jitter, says Hello, hands on what the server says. */
export class Connection {
  private session: AgentSession | null = null;
  private renewing = false;
  /** Looks that are being answered. */
  looking = 0;
  private tls: Tls | null = null;
  private addresses: string[];
  private welcome: { serverTimeMs: number; at: number } | null = null;
  private credits = 0;
  private capMs = 2000;
  private heartbeat: NodeJS.Timeout | undefined;
  readonly facts = new FactsWatch(
    ({ what, before, after, digest }) => void this.send({ kind: 'factsChanged', what, before, after, digest }).catch(() => undefined),
  );

  readonly mount: MountWatch;

  constructor(private readonly o: { paths: Paths; config: AgentConfig; journal: Journal; say: (line: string) => void }) {
    this.addresses = o.config.sessionAddresses;
    this.mount = new MountWatch({ host: localHost({ stateDir: o.paths.state }), say: o.say, onChange: () => this.beat() });
  }
  get artifactAccess(): { addresses: string[]; tls: { ca: string; cert: string; key: string } } {
    if (!this.tls) throw new Error('the agent has no certificate yet');
    return {
      addresses: this.o.config.artifactAddresses.map((a) => (a.includes('://') ? a : `https://${a}`)),
      tls: { ca: this.tls.caPem, cert: this.tls.certPem, key: this.tls.keyPem },
    };
  }
  serverNow(): number | null {
    return this.welcome && this.welcome.serverTimeMs + (performance.now() - this.welcome.at);
  }
  async send(message: FromAgent): Promise<void> {
    if (!this.session) throw new Error('there is no session');
    await this.session.send(message);
  }
  offer(message: Extract<FromAgent, { kind: 'log' | 'progress' }>): boolean {
    if (!this.session) return false;
    if (message.kind === 'log') {
      if (this.credits <= 0) return false;
      this.credits -= 1;
    }
    return this.session.offer(message);
  }

  /** Runs until the signal fires. @throws Error only if the identity cannot be read. */
  async run(orders: Orders, signal: AbortSignal): Promise<void> {
    this.tls = await readTls(this.o.paths);
    this.facts.start();
    this.mount.start();
    const renewals = setInterval(() => void this.renewIfDue(), renewalLookMs).unref(); // a session may last longer than a certificate
    for (let failures = 0; !signal.aborted;) {
      const began = performance.now();
      try {
        await this.renewIfDue();
        await this.live(orders, signal);
        failures = 0;
      } catch (error) {
        const refused = error instanceof CallRefused;
        failures = performance.now() - began > 30_000 ? 0 : failures + 1;
        this.o.say(`no session: ${(error as Error).message}`);
        if (refused) failures = Math.max(failures, 5); // the server said no: it may be asked again, but slowly
      }
      if (signal.aborted) break;
      const most = failures >= 5 ? Math.max(this.capMs, 5000) : this.capMs;
      const wait = Math.min(firstRetryMs * 2 ** failures, most);
      await sleep(wait / 2 + (Math.random() * wait) / 2, undefined, { signal }).catch(() => undefined);
    }
    clearInterval(renewals);
    this.facts.stop();
    this.mount.stop();
  }

  private async live(orders: Orders, signal: AbortSignal): Promise<void> {
    const tls = this.tls ?? (await readTls(this.o.paths));
    const facts = await this.facts.digest(); // ahead of the session: on a busy machine the first look takes seconds
    let ended: (error: Error | undefined) => void = () => undefined;
    const end = new Promise<Error | undefined>((resolve) => (ended = resolve));
    const session = await AgentSession.open({ addresses: this.addresses, tls, signal, onEnd: (e) => ended(e), onMessage: (m) => this.hear(m, orders) });
    try {
      const hello = session.send({
        kind: 'hello',
        agentVersion: version,
        catalogue: [...tasks.values()].filter((t) => t.on === 'node').map((t) => ({ name: t.name, version: t.version })),
        bootId: bootId(),
        factsDigest: facts,
        highestEpoch: this.o.journal.highestEpoch,
        held: this.o.journal
          .all()
          .filter((h) => !h.acked)
          .map((h) => ({ orderId: h.body.orderId, runId: h.body.runId, step: h.body.step, epoch: h.epoch, attempt: h.attempt, state: h.state })),
        agentTimeMs: Date.now(),
        looks: lookNames,
      });
      this.session = session; // not before: an order that goes on after a restart would speak ahead of Hello, and the server would hang up
      await hello;
      const error = await end;
      if (error) throw error;
    } finally {
      clearInterval(this.heartbeat);
      this.session = null;
    }
  }

  private async hear(m: ToAgent, orders: Orders): Promise<void> {
    switch (m.kind) {
      case 'welcome':
        this.welcome = { serverTimeMs: m.serverTimeMs, at: performance.now() };
        this.credits = m.credits;
        this.capMs = m.reconnectCapMs || this.capMs;
        clearInterval(this.heartbeat);
        this.heartbeat = setInterval(() => this.beat(), m.heartbeatIntervalMs || 10_000);
        this.beat(); // what is wrong here is told at once
        this.o.say(`session ${m.sessionId} is open`);
        this.learn(m);
        if (m.wantsFacts) void this.tell();
        void orders.afterWelcome().catch(() => undefined);
        return;
      case 'order':
        return orders.take(m);
      case 'secrets':
        return orders.secrets(m);
      case 'cancel':
        return orders.cancel(m);
      case 'ack':
        return orders.acked(m);
      case 'credit':
        this.credits += m.n;
        return;
      case 'factsWanted':
        void this.tell();
        return;
      case 'dismiss':
        this.o.say(`the server dismisses this agent: ${m.reason}`);
        await takeAway();
        return;
      case 'ask': {
        const world = {
          paths: this.o.paths,
          nodeName: this.o.config.nodeName,
          journal: this.o.journal,
          serverNow: () => this.serverNow(),
          mount: () => this.mount.health,
        };
        this.looking += 1;
        void answerLook(m, world, (answer) => this.send(answer)).finally(() => (this.looking -= 1)); // beside whatever else is said: an order must not wait for it
        return;
      }
      case 'drain':
        this.o.say(`the server asks to move on: ${m.reason}`);
        if (m.addresses.length > 0) this.addresses = [...new Set([...m.addresses, ...this.o.config.sessionAddresses])];
        this.session?.close();
        return;
    }
  }
  /** Where the server is to be found from now on; kept, so that it may move while this machine is off. */
  private learn(told: Extract<ToAgent, { kind: 'welcome' }>): void {
    const next = learnt(this.o.config, told, this.session?.address);
    if (next === null) return;
    this.o.config = { ...this.o.config, ...next };
    this.addresses = next.sessionAddresses;
    writeConfig(this.o.paths, this.o.config).catch((error: Error) => this.o.say(`where the server is could not be kept: ${error.message}`));
  }
  private async tell(): Promise<void> {
    const facts = await this.facts.fresh();
    await this.send({ kind: 'facts', digest: await this.facts.digest(), facts }).catch(() => undefined);
  }
  private beat(): void {
    if (!this.session) return;
    const mount = this.mount.health;
    const trouble = ownTrouble(this.o.paths.state);
    this.session.offer({
      kind: 'heartbeat',
      load: loadavg()[0] ?? 0,
      agentTimeMs: Date.now(),
      rssMb: process.memoryUsage.rss() / 1e6,
      ...(mount && { mount }),
      ...(trouble !== '' && { trouble }),
    });
  }
  /** A certificate that has lived a third of its time is renewed; the old one stays good, so a failure only waits. */
  private async renewIfDue(): Promise<void> {
    const tls = this.tls;
    if (!tls || this.renewing || !renewalDue(validityOf(tls.certPem), this.serverNow() ?? Date.now())) return;
    this.renewing = true;
    try {
      const keys = await newKeys();
      const identity = await renew({ addresses: this.addresses, tls }, await makeCsr(keys));
      this.tls = { caPem: identity.caPem, certPem: identity.certificatePem, keyPem: await keyPem(keys.privateKey) };
      await writeTls(this.o.paths, this.tls);
      const config = configOf(identity, this.o.config.caPin);
      this.o.config = { ...config, ...learnt(this.o.config, config, this.session?.address) };
      await writeConfig(this.o.paths, this.o.config);
      this.o.say('the certificate was renewed');
    } catch (error) {
      this.o.say(`the certificate could not be renewed yet: ${(error as Error).message}`);
    } finally {
      this.renewing = false;
    }
  }
}
