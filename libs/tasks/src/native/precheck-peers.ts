import { Ipv4, NodeName, Port } from '@strata/model';
import { z } from 'zod';
import { definePrecheck } from '../define-task';
import { warning } from './findings';

/** The other nodes, reached from this one. */
export const precheckPeers = definePrecheck({
  name: 'precheck.peers', version: 1, timeout: '2m',
  title: 'The other nodes can be reached from here',
  input: z.strictObject({ peers: z.array(z.strictObject({ name: NodeName, address: Ipv4, port: Port })) }), // port: of its sshd, the one that listens ahead of an install
  async look({ host, input }) {
    const tried = await Promise.all(
      input.peers.map(async (peer) => ({ peer, open: await host.network.reaches(peer.address, peer.port, 3000) })),
    );
    return tried
      .filter((t) => !t.open)
      .map((t) => warning('peers.unreachable', `${t.peer.name} (${t.peer.address}) does not answer on port ${t.peer.port}/tcp from here`, 'see whether a firewall or a route between the two machines is in the way'));
  },
}); // prettier-ignore
