/** Certificate, key and CA of an identity, in this order. */
export function identityParts(pem: string): { certificate: string; key: string; ca: string } {
  const [certificate = '', key = '', ca = ''] = pem.match(/-----BEGIN [^-]+-----[^]+?-----END [^-]+-----\n?/g) ?? [];
  return { certificate, key, ca };
}
