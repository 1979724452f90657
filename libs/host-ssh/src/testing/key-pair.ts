import { utils } from 'ssh2';

/**
 * A fresh Ed25519 key pair, in OpenSSH's form. ssh2 drops zero bytes at the beginning of a public key, so that one pair in 256 cannot be read by anybody
 * (mscdex/ssh2 issue 1513): such a one is thrown away.
 */
export function keyPair(encryption?: { passphrase: string; cipher: 'aes256-ctr'; rounds: number }): { private: string; public: string } {
  for (;;) {
    const made = encryption ? utils.generateKeyPairSync('ed25519', encryption) : utils.generateKeyPairSync('ed25519');
    const read = [utils.parseKey(made.private, encryption?.passphrase), utils.parseKey(made.public)];
    if (!read.some((key) => key instanceof Error)) return made;
  }
}
