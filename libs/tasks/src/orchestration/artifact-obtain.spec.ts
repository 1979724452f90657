import { runTask } from '../run-task';
import { MemoryControl, simulatedClock } from '../testing';
import { artifactObtain } from './artifact-obtain';

const common = {
  clock: simulatedClock(),
  progress: () => undefined,
  log: () => undefined,
  signal: new AbortController().signal,
  secret: () => '',
};
const journal = { storedBefore: () => undefined, before: async () => Promise.resolve() };

it.each([
  [{}, false],
  [{ unofficial: true }, true],
  [{ unofficial: false }, false],
])('%j asks for what others publish: %s', async (more, asked) => {
  const control = new MemoryControl({ digest: '', entries: [], obtained: {} });
  const obtain = jest.spyOn(control, 'obtain');
  const input = { name: 'juicefs', version: '1.4.2', ...more };
  const run = () => runTask(artifactObtain, { action: 'run', input }, { ports: { control }, common, journal });
  expect(await run()).toMatchObject({ outcome: 'changed', result: { output: { artifact: { name: 'juicefs' } } } });
  expect(obtain).toHaveBeenCalledWith('juicefs', '1.4.2', expect.objectContaining({ unofficial: asked }));
  await run();
  expect(obtain).toHaveBeenCalledTimes(1);
});
