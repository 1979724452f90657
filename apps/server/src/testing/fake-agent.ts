import { randomUUID } from 'node:crypto';
import { OrderBody, type Outcome } from '@strata/model';
import { hashToken, keyPem, makeCsr, newKeys, newToken, verifyOrder } from '@strata/pki';
import { tasks } from '@strata/tasks';
import { AgentSession, enroll, type HeldState, type Identity } from '@strata/wire';
import type { TestServer } from './test-server';

interface Held {
  body: OrderBody;
  state: HeldState;
  outcome: Outcome;
  acked: boolean;
}
/** How the fake answers an order: `hold` keeps it running until `finish`. */
export type Conduct = (body: OrderBody) => Outcome | 'hold';

/** An agent without a machine behind it: the real protocol, a journal in memory, outcomes as told. */
export class FakeAgent {
  readonly held = new Map<string, Held>();
  /** Every order as it came, repeats included. */
  readonly orders: { body: OrderBody; secrets: Record<string, string> }[] = [];
  /** The values that came after `askSecrets`, and why some did not. */
  readonly secrets: { orderId: string; values: Record<string, string>; missing: string }[] = [];
  private session: AgentSession | null = null;
  conduct: Conduct = () => 'changed';

  private constructor(
    readonly identity: Identity,
    private readonly tls: { caPem: string; certPem: string; keyPem: string },
  ) {}

  /** Enrolls with a token made for the node's row. */
  static async enroll(
    server: TestServer,
    node: { id: string; clusterId: string; role: 'control-plane' | 'worker' },
    machineId = randomUUID(),
  ): Promise<FakeAgent> {
    const token = newToken('join');
    await server.edges.store.enrollTokens.add({
      hash: hashToken(token),
      clusterId: node.clusterId,
      nodeId: node.id,
      role: node.role,
      expiresAt: new Date(Date.now() + 60_000),
    });
    return FakeAgent.enrollWith(server, token, machineId);
  }
  static async enrollWith(server: TestServer, token: string, machineId = randomUUID()): Promise<FakeAgent> {
    const keys = await newKeys();
    const to = { addresses: [`127.0.0.1:${server.serving.ports.enrollment}`], caPin: server.edges.keys.authority.pin };
    const identity = await enroll(to, {
      token,
      csrPem: await makeCsr(keys),
      machineId,
      hostKeys: [],
      agentVersion: '0.1.0',
      hostname: 'fake',
      agentTimeMs: Date.now(),
    });
    return new FakeAgent(identity, { caPem: identity.caPem, certPem: identity.certificatePem, keyPem: await keyPem(keys.privateKey) });
  }

  /** Opens the session and says Hello. */
  async connect(server: TestServer): Promise<void> {
    this.session = await AgentSession.open({
      addresses: [`127.0.0.1:${server.serving.ports.agents}`],
      tls: this.tls,
      onMessage: async (m) => {
        if (m.kind === 'order') await this.take(m);
        if (m.kind === 'ack') {
          const held = this.held.get(m.orderId);
          if (held) held.acked = true;
        }
        if (m.kind === 'secrets') this.secrets.push({ orderId: m.orderId, values: texts(m.secrets), missing: m.missing });
        if (m.kind === 'cancel') await this.finish(m.orderId, 'cancelled');
        if (m.kind === 'welcome') for (const h of this.held.values()) if (h.state === 'settled' && !h.acked) await this.tell(h);
      },
      onEnd: () => (this.session = null),
    });
    await this.session.send({
      kind: 'hello',
      ...{ agentVersion: '0.1.0', bootId: 'b', factsDigest: 'f', highestEpoch: 0, agentTimeMs: Date.now() },
      catalogue: [...tasks.values()].map((t) => ({ name: t.name, version: t.version })),
      held: [...this.held.values()]
        .filter((h) => !h.acked)
        .map(({ body: b, state }) => ({ orderId: b.orderId, runId: b.runId, step: b.step, epoch: b.epoch, attempt: b.attempt, state })),
    });
  }
  /** As after a restart in mid-order: secret values are never journaled. */
  async askSecrets({ orderId, attempt }: { orderId: string; attempt: number }): Promise<void> {
    await this.session?.send({ kind: 'secretsWanted', orderId, attempt });
  }
  disconnect(): void {
    this.session?.close();
  }
  get connected(): boolean {
    return this.session !== null;
  }

  /** Settles an order that is held. */
  async finish(orderId: string, outcome: Outcome): Promise<void> {
    const held = this.held.get(orderId);
    if (!held || held.state === 'settled') return;
    Object.assign(held, { state: 'settled', outcome });
    await this.tell(held);
  }

  private async take(m: { body: Buffer; signature: Buffer; keyId: string; secrets: Record<string, Buffer> }): Promise<void> {
    const key = this.identity.orderKeys.find((k) => k.keyId === m.keyId);
    if (!key || !verifyOrder(m.body, m.signature, key.publicKey)) throw new Error('an order came with a bad signature');
    const body = OrderBody.parse(JSON.parse(m.body.toString('utf8')));
    this.orders.push({ body, secrets: texts(m.secrets) });
    const known = this.held.get(body.orderId);
    const ref = { orderId: body.orderId, epoch: body.epoch, attempt: body.attempt };
    await this.session?.send({ kind: 'accepted', ...ref });
    if (known && known.body.attempt === body.attempt) {
      if (known.state === 'settled') await this.tell(known);
      return;
    }
    const conduct = this.conduct(body);
    const held: Held = { body, state: 'running', outcome: 'changed', acked: false };
    this.held.set(body.orderId, held);
    if (conduct !== 'hold') await this.finish(body.orderId, conduct);
  }

  private async tell({ body, outcome }: Held): Promise<void> {
    const { orderId, runId, step, epoch, attempt } = body;
    const failure = { code: 'program-failed', message: 'it failed', remedy: 'try again', cause: [], retry: false };
    const result = { findings: [], output: {}, ...(outcome === 'failed' ? { failure } : { before: {} }) };
    await this.session?.send({ kind: 'settled', orderId, runId, step, epoch, attempt, outcome, result, journalSeq: 1 }).catch(() => undefined);
  }
}
const texts = (values: Record<string, Buffer>): Record<string, string> => Object.fromEntries(Object.entries(values).map(([k, v]) => [k, v.toString('utf8')]));
