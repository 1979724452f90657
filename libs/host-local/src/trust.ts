import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';

/** Whom JuiceFS trusts as well: this machine's own store, and what the spec adds. */
export const trusted = (caPem: string | undefined): string[] => [
  ...getCACertificates('bundled'),
  ...getCACertificates('system'),
  ...(caPem === undefined ? [] : [caPem]),
];
/** The same for connections of TLS. Made once, since each takes a while. */
export function trust(caPem: string | undefined): () => SecureContext {
  let made: SecureContext | null = null;
  return () => (made ??= createSecureContext({ ca: trusted(caPem) }));
}
/** Whether a connection failed because of TLS, by Node's code for it. */
export const isTlsError = (code: string | undefined): boolean => /CERT|SELF_SIGNED|ALTNAME|UNABLE_TO|ERR_TLS|ERR_SSL|EPROTO/.test(code ?? '');
