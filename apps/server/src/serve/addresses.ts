import type { Edges } from './edges';

/** Where a node finds this server: first what is known to be reached from there, then all else. host:port each. */
export function addressesFor(reach: Edges['reach'], nodeId: string): { sessionAddresses: string[]; artifactAddresses: string[] } {
  const hosts = [...new Set([...(reach.reachedAt.get(nodeId) ?? []), ...reach.hosts])];
  return { sessionAddresses: hosts.map((h) => `${h}:${reach.ports.agents}`), artifactAddresses: hosts.map((h) => `${h}:${reach.ports.artifacts}`) };
}
