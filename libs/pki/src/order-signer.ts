import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';

const spkiHead = Buffer.from('302a300506032b6570032100', 'hex'); // SPKI of a raw Ed25519 public key

/** The id of an order key: the first 16 hex digits of the SHA-256 of its raw public key. */
export const orderKeyId = (publicKey: Buffer): string => createHash('sha256').update(publicKey).digest('hex').slice(0, 16);

/** Signs orders (Ed25519), of which agents hold the public half from their enrollment; with another key, bundle files. */
export class OrderSigner {
  readonly keyId: string;

  private constructor(
    private readonly key: KeyObject,
    /** Raw, 32 bytes. */
    readonly publicKey: Buffer,
  ) {
    this.keyId = orderKeyId(publicKey);
  }

  static create(): OrderSigner {
    return OrderSigner.of(generateKeyPairSync('ed25519').privateKey);
  }

  /** The signer of a PKCS#8 PEM made by {@link keyPem}. */
  static load(pem: string): OrderSigner {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== 'ed25519')
      throw new Error(`the signing key is ${key.asymmetricKeyType ?? 'of no known kind'}, not Ed25519; restore it from a backup`);
    return OrderSigner.of(key);
  }

  keyPem(): string {
    return this.key.export({ type: 'pkcs8', format: 'pem' }).toString();
  }

  /** The signature over exactly these bytes, 64 bytes. */
  sign(bytes: Buffer): Buffer {
    return sign(null, bytes, this.key);
  }

  private static of(key: KeyObject): OrderSigner {
    return new OrderSigner(key, createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(spkiHead.length));
  }
}

/** Whether `signature` was made over exactly `bytes` by the key with this raw public half. A malformed key or signature is simply false. */
export function verifyOrder(bytes: Buffer, signature: Buffer, publicKeyRaw: Buffer): boolean {
  if (publicKeyRaw.length !== 32 || signature.length !== 64) return false;
  try {
    return verify(null, bytes, createPublicKey({ key: Buffer.concat([spkiHead, publicKeyRaw]), format: 'der', type: 'spki' }), signature);
  } catch {
    return false;
  }
}
