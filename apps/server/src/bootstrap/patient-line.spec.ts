import { SshError, type SshMachine } from '@strata/host-ssh';
import { patientLine } from './patient-line';

const lost = (code: 'timeout' | 'connection-lost' | 'unreachable' = 'timeout'): SshError =>
  new SshError(code, 'the line gave no answer in 60000 ms', { remedy: '' });
const doing = { progress: () => undefined, signal: new AbortController().signal };
function machine(name: string, closed: string[] = []): SshMachine {
  return { name, close: () => closed.push(name) } as unknown as SshMachine;
}
beforeEach(() => jest.useFakeTimers({ doNotFake: ['performance'] }));
afterEach(() => jest.useRealTimers());

it('goes on over another connection when one was lost, and says so', async () => {
  const [said, closed]: [string[], string[]] = [[], []];
  let opened = 0;
  const line = patientLine(async () => Promise.resolve(machine(`again ${(opened += 1)}`, closed)), machine('first', closed));
  const over: string[] = [];
  const work = line.over((m) => (over.push(m.name), over.length < 3 ? Promise.reject(lost()) : Promise.resolve('done')), {
    ...doing,
    progress: (_, note) => said.push(note),
  });
  await jest.advanceTimersByTimeAsync(10_000);
  expect(await work).toBe('done');
  expect([over, closed, line.machine.name]).toEqual([['first', 'again 1', 'again 2'], ['first', 'again 1'], 'again 2']);
  expect(said).toEqual(Array(2).fill('the line gave no answer in 60000 ms; trying again, and going on from what came'));
});
it('does not try again what no other line would cure, nor after a stop', async () => {
  const line = patientLine(() => Promise.reject(new Error('not to be asked')), machine('first'));
  await expect(line.over(() => Promise.reject(new SshError('upload-failed', 'disk full', { remedy: '' })), doing)).rejects.toThrow('disk full');
  const stop = new AbortController();
  stop.abort();
  await expect(line.over(() => Promise.reject(lost()), { ...doing, signal: stop.signal })).rejects.toThrow('no answer');
});
