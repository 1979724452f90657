import { randomBytes } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { World } from './world';

/** A line of a key that holds none of its header. */
const lineOf = (pem: string): string => pem.split('\n').filter((l) => /^[A-Za-z0-9+/]{60,64}$/.test(l)).at(-1) ?? pem.split('\n')[1] ?? ''; // prettier-ignore
const broken = (text: string): string => text.replace(/(.{11})/g, '$1\n'); // over many lines

/**
 * Every kind of secret that a control host and its nodes hold, by what it is; and each of them planted in logs that a support archive takes: as it is,
 * in base64, in hex, in JSON and broken over lines. Of a machine that is not a node yet the server keeps the secrets of its first contact.
 */
export async function secretsOf(world: World): Promise<Map<string, Buffer>> {
  const { server, lab } = world;
  const found = new Map<string, Buffer>();
  const own = join(server.home, 'secrets');
  for (const name of readdirSync(own).filter((n) => n !== 'ca.pem')) {
    const bytes = readFileSync(join(own, name));
    found.set(name, bytes.includes('-----BEGIN') ? Buffer.from(lineOf(bytes.toString())) : name === 'admin.token' ? Buffer.from(bytes.toString().trim()) : bytes);
  }
  const password = `canary${randomBytes(12).toString('hex')}`;
  const passphrase = `canary${randomBytes(12).toString('hex')}`;
  await keptByServer(world, { password, passphrase });
  found.set('SSH password', Buffer.from(password)).set('passphrase', Buffer.from(passphrase));
  const read = (path: string): Promise<string> => lab.must('n1', ['cat', path]);
  const ofNode = new Map<string, Buffer>();
  for (const name of ['ca', 'front-proxy-ca', 'etcd/ca', 'sa', 'apiserver']) ofNode.set(`key of ${name}`, Buffer.from(lineOf(await read(`/etc/kubernetes/pki/${name}.key`))));
  ofNode.set('admin.conf', Buffer.from(/client-key-data: (\S+)/.exec(await read('/etc/kubernetes/admin.conf'))?.[1] ?? ''));
  ofNode.set('encryption key', Buffer.from(/secret: (\S+)/.exec(await read('/etc/kubernetes/encryption.yaml'))?.[1] ?? ''));
  ofNode.set('key of the agent', Buffer.from(lineOf(await read('/var/lib/strata/identity/agent.key'))));
  const token = `${randomBytes(3).toString('hex')}.${randomBytes(8).toString('hex')}`; // known to nobody: found by its form
  const join1 = `J1${randomBytes(32).toString('hex')}.strata_join_${randomBytes(24).toString('base64url')}`;

  appendFileSync(join(server.home, 'logs/server.log'), `${planted(found)}bootstrap token ${token}, join token ${join1}\n`);
  // a pod that lives: kubelet takes away the logs of those that it does not know
  const append = 'cat >> "$(ls -t /var/log/pods/kube-system_kube-scheduler-*/kube-scheduler/*.log | head -n 1)"';
  await lab.must('n1', ['sh', '-c', append], { input: `${planted(ofNode)}token ${token}\n` });
  found.set('bootstrap token', Buffer.from(token)).set('join token', Buffer.from(join1.split('.')[1] ?? ''));
  return new Map([...found, ...ofNode]);
} // prettier-ignore

/** A log that tells all of them, in every form. Bytes that are no text stand there in hex and base64 only. */
function planted(secrets: ReadonlyMap<string, Buffer>): string {
  return [...secrets].map(([what, value]) => {
    const isText = value.every((b) => b >= 32 && b < 127);
    const plain = isText ? `${value.toString()}\n${broken(value.toString())}\n${JSON.stringify({ what, value: value.toString() })}\n` : '';
    return `planted ${what}\n${plain}${value.toString('hex')} ${value.toString('base64')}\n${broken(Buffer.concat([Buffer.from('x:'), value]).toString('base64'))}\n`;
  }).join('');
} // prettier-ignore

/** A machine that nobody can log in to: what was sent for it is kept, sealed, until it is a node. */
async function keptByServer({ server, lab, cluster }: World, secrets: { password: string; passphrase: string }): Promise<void> {
  const privateKey = readFileSync(lab.keyFile, 'utf8');
  const node = { name: 'away', role: 'worker', address: lab.hostAddress, ssh: { user: 'ops', port: 1, acceptNewHostKey: true } };
  await server.api.must('POST', `/v1/clusters/${cluster}/nodes`, { body: { node, secrets: { ...secrets, privateKey } }, headers: { 'idempotency-key': `away-${cluster}` } });
} // prettier-ignore
