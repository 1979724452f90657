import { taskNamed } from '../registry';
import { MemoryHost, nativeSamples, tryTask } from '../testing';

const task = taskNamed('firewall.open');
const sample = nativeSamples.find((s) => s.task === 'firewall.open');
const opening = (...peers: string[]): object => ({ ports: [{ proto: 'tcp', port: 10250, from: peers }], trust: ['10.244.0.0/16'], interfaces: ['cni0'] });
function dropping(): MemoryHost {
  const host = new MemoryHost();
  sample?.prepare?.(host);
  return host;
}
const rules = (host: MemoryHost): string => JSON.stringify(host.extra.get('nft-chains'));

it('is satisfied where nothing drops', async () => {
  const host = new MemoryHost();
  expect(await tryTask(task, { host }, { input: opening('10.0.0.12/32') })).toMatchObject({ outcome: 'satisfied' });
});

it('follows the spec: a node that left is no longer let in, one that came is', async () => {
  const host = dropping();
  await tryTask(task, { host }, { input: opening('10.0.0.12/32') });
  const second = await tryTask(task, { host }, { input: opening('10.0.0.13/32') });
  expect(second).toMatchObject({ outcome: 'changed' });
  expect(rules(host)).toContain('10.0.0.13');
  expect(rules(host)).not.toContain('10.0.0.12');
  expect(await tryTask(task, { host }, { input: opening() })).toMatchObject({ outcome: 'changed' }); // from anywhere
});

it('gives all back by its first before, whatever was opened since', async () => {
  const host = dropping();
  const found = host.snapshot();
  const first = await tryTask(task, { host }, { input: opening('10.0.0.12/32') });
  await tryTask(task, { host }, { input: opening('10.0.0.12/32', '10.0.0.13/32') });
  await tryTask(task, { host }, { action: 'undo', input: opening('10.0.0.12/32', '10.0.0.13/32'), before: first.result.before });
  expect(host.snapshot()).toEqual(found);
});

it("takes back no more than its own run's rules by a later before", async () => {
  const host = dropping();
  await tryTask(task, { host }, { input: opening('10.0.0.12/32') });
  const between = host.snapshot();
  const second = await tryTask(task, { host }, { input: opening('10.0.0.12/32', '10.0.0.13/32') });
  await tryTask(task, { host }, { action: 'undo', input: opening('10.0.0.12/32', '10.0.0.13/32'), before: second.result.before });
  expect(host.snapshot()).toEqual(between);
});
