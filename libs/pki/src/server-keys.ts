import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { Authority, type ServerCertificate, type ServerNames } from './authority';
import { BoxKey } from './box';
import { keyPem, keysFromPem, newKeys } from './keys';
import { MasterKey } from './master-key';
import { OrderSigner } from './order-signer';
import { createPrivateFile, privateDirectory, readPrivateFile } from './private-file';

const caName = 'strata-ca';
export type Listener = 'agent' | 'enrollment' | 'artifacts' | 'api';

/** Every key of one control server. */
export interface ServerKeys {
  authority: Authority;
  orders: OrderSigner;
  /** Signs bundle files: a key of its own, so that no file is ever an order. */
  bundles: OrderSigner;
  /** 32 bytes for {@link sealMac}. */
  planSeal: Buffer;
  master: MasterKey;
  box: BoxKey;
}

/**
 * The keys in `dir` (0700, each file 0600), made on first use. Repeating it changes nothing; after a crash in the middle the rest is made.
 * A missing CA key beside its certificate is an error, never a new CA: that would lock out every enrolled node. So is a key that others may read.
 */
export async function loadOrCreateServerKeys(dir: string, now: () => number = Date.now): Promise<ServerKeys> {
  await privateDirectory(dir);
  const text = async (name: string, make: () => string): Promise<string> =>
    (await loadOrCreate(join(dir, name), () => Buffer.from(make(), 'utf8'))).toString('utf8');
  return {
    authority: await loadOrCreateAuthority(dir, now),
    orders: OrderSigner.load(await text('order.key', () => OrderSigner.create().keyPem())),
    bundles: OrderSigner.load(await text('bundle.key', () => OrderSigner.create().keyPem())),
    planSeal: await loadOrCreate(join(dir, 'plan-seal.key'), () => randomBytes(32)),
    master: new MasterKey(await loadOrCreate(join(dir, 'master.key'), () => MasterKey.create().export())),
    box: BoxKey.load(await text('box.key', () => BoxKey.create().keyPem())),
  };
}

/** The names that every listener's certificate carries: the fixed one that agents check, this host's own, and the addresses given. */
export const listenerNames = (addresses: string[]): ServerNames => ({
  dns: ['strata-server', 'localhost', ...addresses.filter((address) => isIP(address) === 0)],
  ip: [...new Set(['127.0.0.1', '::1', ...addresses.filter((address) => isIP(address) !== 0)])],
});

/** One certificate for each listener, so that the key of one says nothing about another's. */
export async function issueListeners(authority: Authority, addresses: string[]): Promise<Record<Listener, ServerCertificate>> {
  const issue = (): Promise<ServerCertificate> => authority.issueServer(listenerNames(addresses));
  return { agent: await issue(), enrollment: await issue(), artifacts: await issue(), api: await issue() };
}

async function loadOrCreate(path: string, make: () => Buffer): Promise<Buffer> {
  return (await readPrivateFile(path)) ?? createPrivateFile(path, make());
}

/** The key is the CA: a lost certificate is made again under it (same name, same pin), a lost key is an error. */
async function loadOrCreateAuthority(dir: string, now: () => number): Promise<Authority> {
  const [keyFile, certFile] = [join(dir, 'ca.key'), join(dir, 'ca.pem')];
  const certificate = await readPrivateFile(certFile);
  const key = await readPrivateFile(keyFile);
  if (certificate && !key)
    throw new Error(`${certFile} is there and ${keyFile} is not: a new CA would lock out every enrolled node; restore the file from a backup`);
  const stored = key ?? (await createPrivateFile(keyFile, await keyPem((await newKeys()).privateKey)));
  const keys = await keysFromPem(stored.toString('utf8'));
  const certPem = certificate ?? (await createPrivateFile(certFile, (await Authority.create(caName, { keys, now })).certPem));
  return Authority.load({ certPem: certPem.toString('utf8'), keyPem: stored.toString('utf8') }, now);
}
