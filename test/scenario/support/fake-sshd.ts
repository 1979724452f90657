import type { AddressInfo } from 'node:net';
import { Server, utils } from 'ssh2';

/** An SSH server that lets nobody in, and keeps what was tried: so that secrets of first contact are really used. */
export async function fakeSshd(): Promise<{ port: number; tried: { method: string; user: string; password?: string }[]; stop: () => void }> {
  const tried: { method: string; user: string; password?: string }[] = [];
  const server = new Server({ hostKeys: [utils.generateKeyPairSync('ed25519').private] }, (client) => {
    client.on('error', () => undefined);
    client.on('authentication', (asked) => {
      tried.push({ method: asked.method, user: asked.username, ...(asked.method === 'password' ? { password: asked.password } : {}) });
      asked.reject(['publickey', 'password']);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, tried, stop: () => server.close() };
}
