import type { ServiceError } from '@grpc/grpc-js';
import { X509Certificate } from 'node:crypto';
import { BadMessage, failureOf, PeerUnreachable, PinMismatch } from './failures';
import type { Identity__Output } from './gen/strata/agent/v1/Identity';
import type { EnrollRequest, Identity } from './messages';
import { pinnedCredentials, pinOf } from './pinned';
import { clientOptions, Enrollment, Renewal } from './protocol';
import { TlsCredentials, type NodeTls } from './tls-credentials';
import { enrollRequestToWire, identityOfWire } from './translate';

type Answer = (error: ServiceError | null, identity?: Identity__Output) => void;

/**
 * Enrolls at the first of `addresses` (host:port) that answers. The token is sent only after the server's chain was verified against the pin.
 * Throws PinMismatch, CallRefused (token used, expired, wrong name; clock off) or PeerUnreachable. The deadline is for each address.
 */
export async function enroll(to: { addresses: string[]; caPin: string; deadlineMs?: number }, request: EnrollRequest): Promise<Identity> {
  const identity = await first(to.addresses, async (address) => {
    const pinned = pinnedCredentials(to.caPin);
    const client = new Enrollment(address, pinned, clientOptions);
    try {
      return await unary({ address, tls: pinned }, (answer) =>
        client.Enroll(enrollRequestToWire(request), { deadline: Date.now() + (to.deadlineMs ?? 30_000) }, answer),
      );
    } catch (error) {
      throw pinned.failure instanceof PinMismatch ? pinned.failure : error;
    } finally {
      client.close();
    }
  });
  checkIdentity(identity, to.caPin);
  return identity;
}

/** Asks for a new certificate over the old one. Throws CallRefused or PeerUnreachable. */
export function renew(to: { addresses: string[]; tls: NodeTls; deadlineMs?: number }, csrPem: string): Promise<Identity> {
  return first(to.addresses, async (address) => {
    const tls = TlsCredentials.ofNode(to.tls);
    const client = new Renewal(address, tls, clientOptions);
    try {
      return await unary({ address, tls }, (answer) => client.Renew({ csrPem }, { deadline: Date.now() + (to.deadlineMs ?? 30_000) }, answer));
    } finally {
      client.close();
    }
  });
}

/** What `attempt` brings at the first address that can be reached. A refusal or a wrong pin ends the search; unreachable ones are all named. */
export async function first<T>(addresses: string[], attempt: (address: string) => Promise<T>): Promise<T> {
  const unreachable: Error[] = [];
  for (const address of addresses) {
    try {
      return await attempt(address);
    } catch (error) {
      if (!(error instanceof PeerUnreachable)) throw error;
      unreachable.push(error);
    }
  }
  if (addresses.length === 0) throw new PeerUnreachable('no address of the control server is known; enroll again with a fresh join command');
  throw new PeerUnreachable(unreachable.map(({ message }) => message).join('; '), { cause: unreachable.at(-1) });
}

function unary({ address, tls }: { address: string; tls: TlsCredentials }, call: (answer: Answer) => unknown): Promise<Identity> {
  return new Promise((done, failed) => {
    call((error, identity) => {
      if (error) failed(failureOf(error, address, tls.failure));
      else if (!identity) failed(new BadMessage(`the control server at ${address} answered with nothing`));
      else done(identityOfWire(identity));
    });
  });
}

/** The answer's own CA must be the pinned one too: it is what the node will believe from now on. */
function checkIdentity(identity: Identity, caPin: string): void {
  const ca = new X509Certificate(identity.caPem);
  if (pinOf(ca) !== caPin || !new X509Certificate(identity.certificatePem).verify(ca.publicKey)) {
    throw new PinMismatch('the server answered with a certificate that the pinned CA did not sign; nothing was kept. Look at the log of the control server');
  }
}
