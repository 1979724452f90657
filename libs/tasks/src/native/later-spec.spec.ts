import { taskNamed } from '../registry';
import { runTask } from '../run-task';
import { memoryJournal, MemoryHost, quietCommon, tryTask } from '../testing';

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
  it("takes apt's list of automatic packages away again if it was not there and nobody is in it", async () => {
    const marks = '/var/lib/apt/extended_states';
    const run = async (before: string | null, after: string): Promise<string | null> => {
      const host = machine();
      if (before !== null) host.files.put(marks, before);
      const { result } = await tryTask(task, { host }, { input: { packages: ['socat'] } });
      host.files.put(marks, after); // as apt leaves it
      await tryTask(task, { host }, { action: 'undo', input: { packages: ['socat'] }, before: result.before });
      return host.files.read(marks);
    };
    expect([await run(null, ''), await run('', ''), await run(null, 'Package: theirs\n')]).toEqual([null, '', 'Package: theirs\n']);
  });
  it('says what it asked for, how it went, and what came, with versions', async () => {
    const host = machine();
    host.packages.repository.set('socat', { version: '1.7', brings: ['libwrap0'] });
    host.packages.seed('chrony');
    const install = host.packages.install.bind(host.packages);
    host.packages.install = async (names, o?: { progress?: (fraction: number | null, note: string) => void }) => {
      o?.progress?.(null, 'reading the lists of packages');
      for (let i = 0; i <= 100; i += 1) o?.progress?.(i / 100, `Installing socat (${i})`);
      await install(names);
    };
    const said: string[] = [];
    const ports = { host };
    const journal = memoryJournal();
    await runTask(
      task,
      { action: 'run', input: { packages: ['chrony', 'socat'] } },
      { ports, common: { ...quietCommon(), log: (line) => void said.push(line) }, journal },
    );
    expect(said.slice(0, 3)).toEqual(['asking apt for socat (there already: chrony)', 'reading the lists of packages', '0 %: Installing socat (0)']);
    expect(said.slice(-2)).toEqual(['installed 2 packages:', '  libwrap0 1.0, socat 1.7']);
    expect(said).toHaveLength(15);
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
