import { TaskError } from './task-error';
import { simulatedClock } from './testing';
import { until } from './wait';

const wait = { what: 'n2 to ask', timeoutMs: 10_000, everyMs: 1000, signal: new AbortController().signal, remedy: 'see n2' };
const away = new TaskError('cluster-unreachable', 'read node n2: the API of the cluster does not answer', { remedy: 'wait', retry: true });

test('an API that does not answer for a moment is asked again', async () => {
  let asked = 0;
  const seen = await until(simulatedClock(), wait, () => ((asked += 1) < 3 ? Promise.reject(away) : Promise.resolve('there')));
  expect([seen, asked]).toEqual(['there', 3]);
});
test('one that never answers ends the wait in time, and is its last word', async () => {
  await expect(until(simulatedClock(), wait, () => Promise.reject(away))).rejects.toThrow('waited 10 s for n2 to ask; read node n2: the API of the cluster does not answer');
  await expect(until(simulatedClock(), { ...wait, note: () => '1 of 2' }, () => Promise.resolve(null))).rejects.toThrow('waited 10 s for n2 to ask; last seen: 1 of 2');
}); // prettier-ignore
test('any other trouble ends it at once', async () => {
  const refused = new TaskError('cluster-api', 'read node n2: the API answered 403', { remedy: 'keep it anew' });
  await expect(until(simulatedClock(), wait, () => Promise.reject(refused))).rejects.toBe(refused);
});
