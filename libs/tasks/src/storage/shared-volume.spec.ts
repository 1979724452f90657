import { type VolumeAsk, volumeFolder } from '@strata/model';
import { MemoryHost, said, tryTask } from '../testing';
import { lookAtVolumes, sharedVolume } from './shared-volume';
import { mountPaths, systemdFolder } from './storage-paths';

const path = '/strata/rootfs';
const claim = { namespace: 'home', name: 'data', uid: '0f2a2f6e-1111-4222-8333-444455556666' };
const folder = path + volumeFolder(claim);
const directory = { kind: 'directory', mode: 0o755, uid: 0, gid: 0 } as const;

/** A node with the shared tree, and what JuiceFS keeps of quotas; its mount hears of a quota at once. */
function node(): { host: MemoryHost; quotas: Map<string, number>; passwords: Set<string | undefined> } {
  const host = new MemoryHost();
  const [quotas, passwords] = [new Map<string, number>(), new Set<string | undefined>()];
  host.mounted.push({ path, device: 'JuiceFS:strata-home', type: 'fuse.juicefs', options: [] });
  host.files.place(path, directory);
  host.files.put(`${systemdFolder}/${mountPaths.unit}`, 'ExecStart=juicefs mount rediss://node.n1@meta.home:6390/1?tls-ca-cert-file=/ca.pem /strata/rootfs\n');
  host.files.put(mountPaths.secrets, 'META_PASSWORD=quiet\n');
  const kind = (p: string): string => (host.files.tree.get(p)?.kind === 'directory' ? 'directory' : 'symbolic link');
  host.program('stat', (argv) => (host.files.tree.has(argv.at(-1) ?? '') ? said(kind(argv.at(-1) ?? '')) : said('', 1, 'stat: No such file or directory')));
  host.program('mkdir', (argv) => {
    host.files.place(argv.at(-1) ?? '', { ...directory, mode: Number.parseInt(argv[2] ?? '', 8) });
    return said();
  });
  host.program('df', (argv) =>
    said(`1B-blocks\n${argv.includes('--output=size') ? (quotas.get(volumeFolder(claim)) ?? 2 ** 50) : `${2 ** 30} 4096 ${folder}`}\n`),
  );
  host.program('juicefs', (argv, { env }) => {
    if (argv[2] === 'rmr') host.files.place(argv[3] ?? '', null);
    if (argv[2] !== 'quota') return said();
    passwords.add(env?.META_PASSWORD);
    if (argv[3] === 'set') quotas.set(argv[6] ?? '', Number(argv[8]) * 2 ** 30);
    else if (!quotas.delete(argv[6] ?? '')) return said('', 1, '<FATAL>: no quota for it');
    return said();
  });
  return { host, quotas, passwords };
}
const ask = (host: MemoryHost, want: VolumeAsk['want'], gib = 2): ReturnType<typeof tryTask> =>
  tryTask(sharedVolume, { host }, { input: { path, claim, gib, want } });

it('makes folder and quota once; the password goes by the environment', async () => {
  const { host, quotas, passwords } = node();
  expect((await ask(host, 'there')).outcome).toBe('changed');
  expect([host.files.tree.get(folder), quotas.get(volumeFolder(claim))]).toMatchObject([{ kind: 'directory', mode: 0o777 }, 2 ** 31]);
  expect((await ask(host, 'there')).outcome).toBe('satisfied');
  expect((await ask(host, 'there', 5)).outcome).toBe('changed');
  expect(quotas.get(volumeFolder(claim))).toBe(5 * 2 ** 30);
  expect([...passwords]).toEqual(['quiet']);
  expect(host.runs.flat().join(' ')).not.toContain('quiet');
});
it('takes both away, and is content where there is nothing', async () => {
  const { host, quotas } = node();
  await ask(host, 'there');
  expect((await ask(host, 'gone')).outcome).toBe('changed');
  expect([host.files.tree.has(folder), quotas.size, (await ask(host, 'gone')).outcome]).toEqual([false, 0, 'satisfied']);
});
it('refuses where the tree is not mounted, and makes nothing through a link that somebody put there', async () => {
  const { host } = node();
  host.files.put(`${path}/volumes/home`, 'a link');
  host.files.place(`${path}/volumes`, directory);
  const ran = await ask(host, 'there');
  expect([ran.outcome, ran.result.failure?.message]).toEqual(['failed', expect.stringMatching(/volumes\/home is a symbolic link/)]);
  host.mounted.pop();
  expect((await ask(host, 'there')).outcome).toBe('refused');
});
it('tells what is in the folders', async () => {
  expect(await lookAtVolumes(node().host, { path, claims: [claim] })).toEqual([{ uid: claim.uid, size: 2 ** 30, used: 4096 }]);
});
