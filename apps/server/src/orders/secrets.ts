import { Injectable } from '@nestjs/common';
import { sealedOutputContext, tunnelName } from '@strata/model';
import { sealTo } from '@strata/pki';
import { secretRefs } from '@strata/run';
import { TaskError } from '@strata/tasks';
import { openSshSecrets } from '../bootstrap/ssh-secrets';
import { ClusterEdges } from '../clusters/cluster-edges';
import { Edges } from '../serve/edges';
import type { ReleasedOrder } from './released-orders';
import { StorageSecrets } from './storage-secrets';

const mintedContext = (orderId: string, attempt: number): string => `minted/${orderId}/${attempt}`;

/** The values behind the secret references of an order. They exist only here and beside the order on the wire. */
@Injectable()
export class OrderSecrets {
  constructor(
    private readonly edges: Edges,
    private readonly clusters: ClusterEdges,
  ) {
    this.storage = new StorageSecrets(edges);
  }
  private readonly storage: StorageSecrets;

  /** @throws TaskError when one cannot be had. */
  async values(order: ReleasedOrder, input: unknown): Promise<Record<string, Buffer>> {
    const values: Record<string, Buffer> = {};
    for (const { $secret } of secretRefs(input)) values[$secret] = await this.value(order, $secret);
    return values;
  }

  /** Seals a secret output of a server task, as agents do with theirs. */
  sealOutput(orderId: string, field: string, value: string): string {
    return sealTo(this.edges.keys.box.publicKey, Buffer.from(value, 'utf8'), sealedOutputContext(orderId, field));
  }

  private async value(order: ReleasedOrder, ref: string): Promise<Buffer> {
    const [, kind = '', rest = ''] = /^([a-z]+):(.+)$/.exec(ref) ?? [];
    if (kind === 'mint') return this.minted(order, rest);
    if (kind === 'derive' && rest.startsWith('storage-')) return this.storage.derived(order.clusterId, rest);
    if (kind === 'given') return this.storage.given(order.clusterId, rest);
    if (kind === 'output') return this.output(order, rest);
    if (kind === 'ssh') return this.ssh(order, rest);
    throw new TaskError('unknown-secret', `no secret is named ${ref}`, { remedy: 'plan again: the plan was made by another version' });
  }

  /** A bootstrap token for one attempt: minted once, the same again when that attempt is sent again. */
  private async minted(order: ReleasedOrder, what: string): Promise<Buffer> {
    const { store, keys } = this.edges;
    const [kind, node] = what.split(':');
    if (kind === 'storage-identity') return this.storage.identity(order.clusterId, what);
    if ((kind === 'tunnel-hub' || kind === 'tunnel-node') && node) return this.tunnelIdentity(order, node, kind === 'tunnel-hub' ? 'hub' : 'node');
    if (kind !== 'bootstrap-token' || !node)
      throw new TaskError('unknown-secret', `nothing can mint ${what}`, { remedy: 'plan again: the plan was made by another version' });
    const context = mintedContext(order.orderId, order.attempt);
    const known = await store.mintedTokens.find(order.orderId, order.attempt);
    if (known) return keys.master.open(known.value, context);
    const token = await this.clusters.mintBootstrapToken(order.clusterId, node);
    const { orderId, attempt, clusterId } = order;
    const kept = await store.mintedTokens.keep({ orderId, attempt, clusterId, node, tokenId: token.id, value: keys.master.seal(token.value, context) });
    return keys.master.open(kept.value, context);
  }

  /** Key and certificate of one end of the tunnel. A fresh one each time is fine: nobody keeps a list of them. */
  private async tunnelIdentity(order: ReleasedOrder, node: string, end: 'hub' | 'node'): Promise<Buffer> {
    const { store, keys } = this.edges;
    const cluster = await store.clusters.find(order.clusterId);
    const { certPem, keyPem, caPem } = await keys.authority.issueTunnel(tunnelName(cluster?.name ?? '', node), end);
    return Buffer.from(`${certPem}${keyPem}${caPem}`, 'utf8');
  }

  /** A sealed output of an earlier step: `step#field`. */
  private async output(order: ReleasedOrder, what: string): Promise<Buffer> {
    const at = what.lastIndexOf('#');
    const [step, field] = [what.slice(0, at), what.slice(at + 1)];
    const output = order.view.steps.get(step)?.result?.output as Record<string, unknown> | undefined;
    const box = output?.[field];
    if (typeof box !== 'string') throw new TaskError('secret-missing', `step ${step} left no ${field}`, { remedy: `retry step ${step}`, retry: false });
    const from = order.view.steps.get(step);
    return this.edges.keys.box.open(box, sealedOutputContext(from?.orderId ?? '', field));
  }

  private async ssh(order: ReleasedOrder, name: string): Promise<Buffer> {
    const node = await this.edges.store.nodes.named(order.clusterId, name);
    const secrets = node && openSshSecrets(this.edges.keys.master, node.id, node.sshSecrets);
    if (!secrets)
      throw new TaskError('secret-missing', `the SSH secrets of ${name} are not kept any more`, { remedy: 'apply the spec again: they are sent with it' });
    return Buffer.from(JSON.stringify(secrets), 'utf8');
  }
}
