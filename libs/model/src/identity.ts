const trustDomain = 'spiffe://strata.local';
const nodeUri = /^spiffe:\/\/strata\.local\/cluster\/([A-Za-z0-9_-]{1,64})\/node\/([A-Za-z0-9_-]{1,64})$/;

/** Who a node is: what the server wrote into its certificate. */
export interface NodeIdentity {
  clusterId: string;
  nodeId: string;
}

export const serverSpiffeId = `${trustDomain}/server`;

/** The SPIFFE id of an end of the tunnel: no node's, so that its certificate opens no session. */
export const tunnelSpiffeId = (name: string): string => `${trustDomain}/tunnel/${name}`;

/** The SPIFFE id of a service on a node (metadata, objects): no node's and not the server's. */
export const serviceSpiffeId = (name: string): string => `${trustDomain}/service/${name}`;

/** The SPIFFE id of a node. Throws when an id holds anything but letters, digits, `-` and `_`. */
export function nodeSpiffeId({ clusterId, nodeId }: NodeIdentity): string {
  const uri = `${trustDomain}/cluster/${clusterId}/node/${nodeId}`;
  if (!nodeUri.test(uri)) throw new Error(`no certificate can name cluster "${clusterId}", node "${nodeId}": ids hold only letters, digits, - and _`);
  return uri;
}

/** The node that a SPIFFE id names, or undefined when it names none. */
export function parseNodeSpiffeId(uri: string): NodeIdentity | undefined {
  const [, clusterId, nodeId] = nodeUri.exec(uri) ?? [];
  return clusterId !== undefined && nodeId !== undefined ? { clusterId, nodeId } : undefined;
}

/** The one URI in the text of a certificate's subject alternative names (as node:crypto writes it); undefined when there is none or more than one. */
export function soleUri(subjectAltName: string | undefined): string | undefined {
  const uris = (subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'));
  return uris.length === 1 ? uris[0]?.slice('URI:'.length) : undefined;
}
