import { taskNamed } from '../registry';
import { MemoryHost, tryTask } from '../testing';

/** What one spec brought and a later one asks for differently is taken back whole, and nothing that was there before. */
describe('packages.install', () => {
  const task = taskNamed('packages.install');
  function machine(): MemoryHost {
    const host = new MemoryHost();
    for (const name of ['chrony', 'socat', 'nftables']) host.packages.repository.set(name, { version: '1.0' });
    host.packages.seed('bash');
    return host;
  }
  it('purges what it brought, though the list is another one by then, and leaves what others installed', async () => {
    const host = machine();
    const { result } = await tryTask(task, { host }, { input: { packages: ['chrony', 'socat'] } });
    await tryTask(task, { host }, { input: { packages: ['chrony', 'nftables', 'socat'] } });
    host.packages.seed('postgresql');
    await tryTask(task, { host }, { action: 'undo', input: { packages: ['socat'] }, before: result.before });
    expect([...host.packages.here.keys()].sort()).toEqual(['bash', 'postgresql']);
    await tryTask(task, { host }, { action: 'undo', input: { packages: ['socat'] }, before: result.before });
    expect([...host.packages.here.keys()].sort()).toEqual(['bash', 'postgresql']);
  });
  it('takes back only what its own run brought when that is undone', async () => {
    const host = machine();
    await tryTask(task, { host }, { input: { packages: ['socat'] } });
    const { result } = await tryTask(task, { host }, { input: { packages: ['chrony', 'socat'] } });
    await tryTask(task, { host }, { action: 'undo', input: { packages: ['chrony', 'socat'] }, before: result.before });
    expect([...host.packages.here.keys()].sort()).toEqual(['bash', 'socat']);
  });
});

describe('sshd.configure', () => {
  const task = taskNamed('sshd.configure');
  const file = '/root/.ssh/authorized_keys';
  const input = (...authorizedKeys: string[]): object => ({ authorizedKeys, passwordLogin: 'keep' });
  const [mine, k1, k2] = ['ssh-ed25519 AAAAmine me', 'ssh-ed25519 AAAA1 one', 'ssh-ed25519 AAAA2 two'];

  it('takes back the keys that later specs brought too, never one that was there before', async () => {
    const host = new MemoryHost();
    host.files.put(file, `${mine}\n`, 0o600);
    const { result } = await tryTask(task, { host }, { input: input(mine, k1) });
    await tryTask(task, { host }, { input: input(mine, k1, k2) });
    expect(await host.files.read(file)).toBe(`${mine}\n${k1}\n${k2}\n`);
    await tryTask(task, { host }, { action: 'undo', input: input(mine, k1, k2), before: result.before });
    expect(await host.files.read(file)).toBe(`${mine}\n`);
  });
  it('writes through a link, and leaves the link and the mode of the file as they are', async () => {
    const host = new MemoryHost();
    host.files.put('/etc/pve/priv/authorized_keys', `${mine}\n`, 0o600);
    await host.files.link(file, '/etc/pve/priv/authorized_keys');
    const { result } = await tryTask(task, { host }, { input: input(k1) });
    expect(await host.files.stat(file)).toMatchObject({ kind: 'link' });
    expect(await host.files.stat('/etc/pve/priv/authorized_keys')).toMatchObject({ kind: 'file', mode: 0o600 });
    expect(await host.files.read('/etc/pve/priv/authorized_keys')).toBe(`${mine}\n${k1}\n`);
    await tryTask(task, { host }, { action: 'undo', input: input(k1), before: result.before });
    expect(await host.files.read('/etc/pve/priv/authorized_keys')).toBe(`${mine}\n`);
  });
});
