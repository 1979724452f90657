import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const version = 'v1';
const tagBytes = 16;

/** Seals secrets at rest (AES-256-GCM). Text of a sealed secret: `v1.<key id>.<nonce>.<ciphertext and tag>`, base64url. */
export class MasterKey {
  readonly id: string;

  /** `key` is 32 random bytes. */
  constructor(private readonly key: Buffer) {
    if (key.length !== 32) throw new Error(`the master key has ${key.length} bytes, want 32; restore it from a backup`);
    this.id = createHash('sha256').update('strata master key').update(key).digest('hex').slice(0, 8);
  }

  static create(): MasterKey {
    return new MasterKey(randomBytes(32));
  }

  export(): Buffer {
    return Buffer.from(this.key);
  }

  /**
   * 32 bytes that belong to one purpose, named by `context` (HKDF-SHA256): always the same, nothing of them is kept, and one says nothing about another
   * or about this key.
   */
  derive(context: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.key, 'strata derived secret', Buffer.from(context, 'utf8'), 32));
  }

  /** Seals `plaintext` for one place, named by `context` (for instance `node/n1/ssh-password`): moved to another place, it does not open. */
  seal(plaintext: Buffer | string, context: string): string {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', this.key, nonce).setAAD(Buffer.from(context, 'utf8'));
    const sealed = Buffer.concat([cipher.update(plaintext as Buffer), cipher.final(), cipher.getAuthTag()]);
    return [version, this.id, nonce.toString('base64url'), sealed.toString('base64url')].join('.');
  }

  /** Opens what {@link seal} made for the same context. Throws when it was changed, moved, or sealed with another key. */
  open(envelope: string, context: string): Buffer {
    const [mark, keyId, nonce, sealed, ...rest] = envelope.split('.');
    if (mark !== version || !nonce || sealed === undefined || rest.length > 0)
      throw new Error(`the sealed secret for ${context} is not in the form ${version}.key.nonce.text; store it again`);
    if (keyId !== this.id)
      throw new Error(
        `the secret for ${context} was sealed with master key ${keyId}, this server has ${this.id}; restore the secrets directory that belongs to this database, or store the secret again`,
      );
    const bytes = Buffer.from(sealed, 'base64url');
    try {
      const decipher = createDecipheriv('aes-256-gcm', this.key, Buffer.from(nonce, 'base64url'), { authTagLength: tagBytes }).setAAD(
        Buffer.from(context, 'utf8'),
      );
      decipher.setAuthTag(bytes.subarray(-tagBytes));
      return Buffer.concat([decipher.update(bytes.subarray(0, -tagBytes)), decipher.final()]);
    } catch (cause) {
      throw new Error(`the secret for ${context} does not open: it was changed or belongs to another place; store it again`, { cause });
    }
  }
}
