import type { Task } from '../define-task';
import { taskNamed } from '../registry';
import { MemoryHost, memoryJournal, nativeSamples, type TaskSample, tryTask } from '../testing';
import * as storageTasks from '../storage';
import * as nativeTasks from './index';

function machine(sample: TaskSample): MemoryHost {
  const host = new MemoryHost();
  sample.prepare?.(host);
  return host;
}
/** The number of changes that an undisturbed run or undo makes, and what is there afterwards. */
async function undisturbed(sample: TaskSample): Promise<{ run: number; undo: number; after: unknown }> {
  const host = machine(sample);
  const task = taskNamed(sample.task);
  const done = await tryTask(task, { host }, sample);
  const [run, after] = [host.effects.made, host.snapshot()];
  await tryTask(task, { host }, { ...sample, action: 'undo', before: done.result.before });
  return { run, undo: host.effects.made - run, after };
}

it('has a sample for every native task that can be taken back', () => {
  const sampled = new Set(nativeSamples.map((s) => s.task));
  expect(
    [...Object.values(nativeTasks), ...Object.values(storageTasks)]
      .filter((t: Task) => t.on === 'node' && t.changes && typeof t.body.undo === 'function' && !sampled.has(t.name))
      .map((t) => t.name),
  ).toEqual([]);
});

describe.each(nativeSamples.map((sample, i) => ({ name: `${sample.task} (${i})`, sample })))('$name', ({ sample }) => {
  const task = taskNamed(sample.task);

  it('only looks when it is asked to check', async () => {
    const host = machine(sample);
    const found = host.snapshot();
    const { result } = await tryTask(task, { host }, { ...sample, action: 'check' });
    expect(result.reason).toBeTruthy();
    expect(host.snapshot()).toEqual(found);
  });

  it('changes the machine once, and gives it back to the byte', async () => {
    const host = machine(sample);
    const found = host.snapshot();
    const first = await tryTask(task, { host }, sample);
    expect(first).toMatchObject({ outcome: 'changed' });
    const changed = host.snapshot();
    const again = await tryTask(task, { host }, sample);
    expect(again).toMatchObject({ outcome: 'satisfied' });
    expect(host.snapshot()).toEqual(changed);
    for (let times = 0; times < 2; times++) {
      expect(await tryTask(task, { host }, { ...sample, action: 'undo', before: first.result.before })).toMatchObject({ outcome: 'changed' });
      expect(host.snapshot()).toEqual(found);
    }
  });

  it('ends well when the agent dies at any of its changes', async () => {
    const expected = await undisturbed(sample);
    for (let n = 1; n <= expected.run; n++)
      for (const when of ['before', 'after'] as const) {
        const host = machine(sample);
        const found = host.snapshot();
        const journal = memoryJournal();
        host.effects.failAt(n, when);
        const died = await tryTask(task, { host }, { ...sample, journal });
        host.effects.heal();
        if (died.outcome === 'failed') expect(died.result.failure?.message).toContain('the agent died');
        const resumed = await tryTask(task, { host }, { ...sample, journal });
        expect({ n, when, ...resumed }).toMatchObject({ outcome: journal.value === undefined ? 'satisfied' : 'changed' });
        expect(host.snapshot()).toEqual(expected.after);
        await tryTask(task, { host }, { ...sample, action: 'undo', before: journal.value });
        expect(host.snapshot()).toEqual(found);
      }
  });

  it('takes back what was half done', async () => {
    const expected = await undisturbed(sample);
    for (let n = 1; n <= expected.run; n++) {
      const host = machine(sample);
      const found = host.snapshot();
      const journal = memoryJournal();
      host.effects.failAt(n, 'after');
      await tryTask(task, { host }, { ...sample, journal });
      host.effects.heal();
      await tryTask(task, { host }, { ...sample, action: 'undo', before: journal.value });
      expect(host.snapshot()).toEqual(found);
    }
  });

  it('takes it back when the agent dies at any change of the undo', async () => {
    const expected = await undisturbed(sample);
    for (let n = 1; n <= expected.undo; n++)
      for (const when of ['before', 'after'] as const) {
        const host = machine(sample);
        const found = host.snapshot();
        const { result } = await tryTask(task, { host }, sample);
        host.effects.failAt(n, when);
        await tryTask(task, { host }, { ...sample, action: 'undo', before: result.before });
        host.effects.heal();
        expect(await tryTask(task, { host }, { ...sample, action: 'undo', before: result.before })).toMatchObject({ outcome: 'changed' });
        expect(host.snapshot()).toEqual(found);
      }
  });
});
