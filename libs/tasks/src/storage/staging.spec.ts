import { taskNamed } from '../registry';
import { MemoryHost, nativeSamples, said, seedStorage, tryTask } from '../testing';

const cache = '/var/cache/strata/juicefs';
const input = nativeSamples.find((s) => s.task === 'juicefs.mount')?.input as { cache: object };
/** A machine whose mount has so many blocks that wait, look after look; the last number stays. */
function machine(...waiting: number[]): MemoryHost {
  const host = new MemoryHost();
  seedStorage(host);
  host.files.put(`${cache}/uuid/rawstaging/chunks/0/4/4097_0_29`, 'block');
  host.program('pgrep', () => said('', 1));
  host.program('find', (argv, { onLine }) => {
    if (!argv.includes('*/rawstaging/*')) return said();
    const blocks = (waiting.length > 1 ? waiting.shift() : waiting[0]) ?? 0;
    for (let i = 0; i < blocks; i += 1) onLine?.('29', 'stdout');
    return said();
  });
  return host;
}
const leave = (host: MemoryHost): ReturnType<typeof tryTask> =>
  tryTask(taskNamed('storage.leave'), { host }, { input: { run: 'r-1', path: '/strata/rootfs', cache } });

it('is only asked for by the spec', async () => {
  const unit = async (writeback?: boolean): Promise<string> => {
    const host = machine(0);
    await tryTask(taskNamed('juicefs.mount'), { host }, { input: { ...input, cache: { ...input.cache, ...(writeback === undefined ? {} : { writeback }) } } });
    return host.files.text('/etc/systemd/system/strata-juicefs.service') ?? '';
  };
  expect([(await unit()).includes('--writeback'), await unit(false)]).toEqual([false, await unit()]);
  expect(await unit(true)).toMatch(/--free-space-ratio [\d.]+ --writeback \\\n/);
});
it('the cache is emptied when all of it is in the bucket, however long that takes', async () => {
  const host = machine(...Array.from({ length: 80 }, (_, i) => 80 - i), 0);
  expect((await leave(host)).outcome).toBe('changed');
  expect(await host.files.list(cache)).toEqual([]);
});
it('nothing is taken away while nothing goes up', async () => {
  const host = machine(3, 2);
  const { outcome, result } = await leave(host);
  expect([outcome, result.failure?.code, result.failure?.message]).toEqual(['failed', 'not-uploaded', expect.stringContaining('2 blocks (58 bytes) that were written on this machine are not in the bucket')]);
  expect(host.files.text(`${cache}/uuid/rawstaging/chunks/0/4/4097_0_29`)).toBe('block');
}); // prettier-ignore
