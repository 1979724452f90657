import { Injectable } from '@nestjs/common';
import { hashToken } from '@strata/pki';
import type { NodeRecord } from '@strata/store';
import { CallRefused, type EnrollRequest, type Identity, type Peer } from '@strata/wire';
import { addressesFor } from '../serve/addresses';
import { Edges } from '../serve/edges';

/** The serial that is good, and after a renewal the one before it until the new one is first used. */
const serialsOf = (node: NodeRecord): [string?, string?] => (node.certSerial ?? '').split(' ').filter(Boolean) as [string?, string?];

/** Turns a stranger with a one-time token into a node, and renews the certificates of nodes. Who it is, the server says; never the request. */
@Injectable()
export class EnrollNode {
  constructor(private readonly edges: Edges) {}

  /** @throws CallRefused in words for the person at the machine. */
  async enroll(request: EnrollRequest): Promise<Identity> {
    const { store, log } = this.edges;
    const used = await store.enrollTokens.use(hashToken(request.token), new Date(this.edges.now()));
    if (!used.ok) throw new CallRefused('unauthenticated', `the join token is ${used.because}; ask for a fresh line: strata node join-command`);
    const node = await store.nodes.find(used.token.nodeId);
    if (!node || node.state === 'removed' || node.clusterId !== used.token.clusterId || node.role !== used.token.role)
      throw new CallRefused('forbidden', 'the node that this token was made for is not there any more; ask for a fresh line: strata node join-command');
    await this.refuseClone(node, request.machineId);
    const { certPem, serial } = await this.edges.keys.authority.signCsr(request.csrPem, { clusterId: node.clusterId, nodeId: node.id });
    const { machineId, hostKeys, agentVersion } = request;
    const taken = await store.transaction(async (work) => {
      const enrolled = await work.nodes.enroll({ nodeId: node.id, certSerial: serial, machineId, hostKeys, agentVersion });
      if (enrolled)
        await work.audit.record({
          by: 'agent',
          action: 'node.enroll',
          object: `node/${node.name}`,
          body: { nodeId: node.id, serial, hostname: request.hostname },
        });
      return enrolled;
    });
    if (!taken) throw new CallRefused('forbidden', `node ${node.name} was removed meanwhile`);
    const skewMs = request.agentTimeMs - this.edges.now();
    log.info({ node: node.name, skewMs }, 'a node was enrolled');
    return this.identity(node, { certPem, skewMs });
  }

  /** A fresh certificate for a node that has one. */
  async renew(csrPem: string, peer: Peer): Promise<Identity> {
    const node = await this.edges.store.nodes.find(peer.nodeId);
    if (node?.state !== 'enrolled') throw new CallRefused('forbidden', 'this node is not enrolled any more');
    const { certPem, serial } = await this.edges.keys.authority.signCsr(csrPem, { clusterId: node.clusterId, nodeId: node.id });
    if (!(await this.edges.store.nodes.renew(node.id, `${serial} ${peer.serial}`))) throw new CallRefused('forbidden', 'this node is not enrolled any more');
    return this.identity(node, { certPem, skewMs: 0 });
  }

  /** Judges a certificate at every stream open and renewal. The one before a renewal stays good: the new one may have been lost on the way. */
  async admit(peer: Peer): Promise<void> {
    const node = await this.edges.store.nodes.find(peer.nodeId);
    if (!node || node.clusterId !== peer.clusterId) throw new CallRefused('forbidden', 'this server knows no such node; it may have been deleted');
    if (node.state !== 'enrolled' || node.epoch > 0) throw new CallRefused('forbidden', `node ${node.name} was removed from its cluster`);
    const [current, former] = serialsOf(node);
    if (peer.serial === current) {
      if (former !== undefined) await this.edges.store.nodes.renew(node.id, current); // the new one is in use: the one before ends
    } else if (peer.serial !== former) throw new CallRefused('forbidden', `this certificate of node ${node.name} was replaced; enroll again`);
  }

  /** Two machines with one machine-id are clones of one image: they would share names and addresses. */
  private async refuseClone(node: NodeRecord, machineId: string): Promise<void> {
    for (const other of await this.edges.store.nodes.list(node.clusterId))
      if (other.id !== node.id && other.state === 'enrolled' && other.machineId === machineId)
        throw new CallRefused(
          'exists',
          `this machine has the machine-id of node ${other.name}: it is a clone; on this machine run: rm /etc/machine-id && systemd-machine-id-setup, reboot, then join again`,
        );
  }

  private identity(node: NodeRecord, made: { certPem: string; skewMs: number }): Identity {
    const { keys, reach } = this.edges;
    return {
      certificatePem: made.certPem,
      caPem: keys.authority.certPem,
      orderKeys: [{ keyId: keys.orders.keyId, publicKey: keys.orders.publicKey }],
      boxKey: keys.box.publicKey,
      ...addressesFor(reach, node.id),
      nodeId: node.id,
      nodeName: node.name,
      clusterId: node.clusterId,
      skewMs: made.skewMs,
    };
  }
}
