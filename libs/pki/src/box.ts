import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

const spkiHead = Buffer.from('302a300506032b656e032100', 'hex'); // SPKI of a raw X25519 public key
const prefix = 'box.v1';
const tagBytes = 16;

/** The private half to which agents seal secret outputs. Held by the server only. */
export class BoxKey {
  private constructor(
    private readonly key: KeyObject,
    /** Raw, 32 bytes: what agents are given. */
    readonly publicKey: Buffer,
  ) {}

  static create(): BoxKey {
    return BoxKey.of(generateKeyPairSync('x25519').privateKey);
  }

  /** The key of a PKCS#8 PEM made by {@link keyPem}. */
  static load(pem: string): BoxKey {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== 'x25519')
      throw new Error(`the box key is ${key.asymmetricKeyType ?? 'of no known kind'}, not X25519; restore it from a backup`);
    return BoxKey.of(key);
  }

  keyPem(): string {
    return this.key.export({ type: 'pkcs8', format: 'pem' }).toString();
  }

  /** Opens what {@link sealTo} made for this key and context. Throws when it was changed, moved, or sealed to another key. */
  open(box: string, context: string): Buffer {
    const [head, ...parts] = [box.slice(0, prefix.length), ...box.slice(prefix.length + 1).split('.')];
    if (head !== prefix || parts.length !== 3) throw new Error(`the sealed output for ${context} is not in the form ${prefix}.key.nonce.text`);
    const [theirs = Buffer.alloc(0), nonce = Buffer.alloc(0), bytes = Buffer.alloc(0)] = parts.map((part) => Buffer.from(part, 'base64url'));
    try {
      const key = sharedKey(diffieHellman({ privateKey: this.key, publicKey: publicKeyOf(theirs) }), { theirs, to: this.publicKey });
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(context, 'utf8'));
      decipher.setAuthTag(bytes.subarray(-tagBytes));
      return Buffer.concat([decipher.update(bytes.subarray(0, -tagBytes)), decipher.final()]);
    } catch (cause) {
      throw new Error(`the sealed output for ${context} does not open: it was changed, or sealed for another place or server`, { cause });
    }
  }

  private static of(key: KeyObject): BoxKey {
    return new BoxKey(key, createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(spkiHead.length));
  }
}

/** Seals `bytes` so that only the holder of the private half opens them, for one place named by `context`. Text: `box.v1.<ephemeral key>.<nonce>.<ciphertext and tag>`, base64url. */
export function sealTo(publicKeyRaw: Buffer, bytes: Buffer, context: string): string {
  const own = generateKeyPairSync('x25519');
  const theirs = own.publicKey.export({ type: 'spki', format: 'der' }).subarray(spkiHead.length);
  const key = sharedKey(diffieHellman({ privateKey: own.privateKey, publicKey: publicKeyOf(publicKeyRaw) }), { theirs, to: publicKeyRaw });
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context, 'utf8'));
  const sealed = Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
  return [prefix, ...[theirs, nonce, sealed].map((part) => part.toString('base64url'))].join('.');
}

/** Both public halves go into the key, so that a box cannot be passed off as one for another pair. */
function sharedKey(secret: Buffer, pair: { theirs: Buffer; to: Buffer }): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.concat([pair.theirs, pair.to]), 'strata box v1', 32));
}

function publicKeyOf(raw: Buffer): KeyObject {
  if (raw.length !== 32) throw new Error(`an X25519 public key has 32 bytes, not ${raw.length}`);
  return createPublicKey({ key: Buffer.concat([spkiHead, raw]), format: 'der', type: 'spki' });
}
