import { MemoryHost } from '../testing';
import { driftOf, keepWritten, readWritten, type Written, writtenAfter, writtenBy, writtenFile } from './index';

const sysctl = '/etc/sysctl.d/90-strata.conf';
const block = (line: string): string =>
  `127.0.0.1 localhost\n# BEGIN Strata: this part is written by Strata, change it in the cluster spec\n${line}\n# END Strata\n`;
const ours = new Set<string>();

/** A machine on which one step wrote a file of ours, a part of /etc/hosts, a program, a link, and a line into a table of somebody else's. */
async function installed(): Promise<{ host: MemoryHost; written: Written }> {
  const host = new MemoryHost();
  host.files.put('/etc/fstab', '/dev/sda1 / ext4\n');
  const paths = [sysctl, '/etc/hosts', '/usr/local/bin/runc', '/etc/systemd/system/x.service', '/etc/fstab', '/srv/shared/proof'];
  const files = await Promise.all(paths.map((p) => host.files.image(p)));
  host.files.put(sysctl, '# Written by Strata\nvm.swappiness = 60\n');
  host.files.put('/etc/hosts', block('10.0.0.1 n1'));
  host.files.put('/usr/local/bin/runc', 'x'.repeat(2 << 20), 0o755);
  host.files.place('/etc/systemd/system/x.service', { kind: 'link', target: '/usr/lib/x' });
  host.files.put('/srv/shared/proof', 'not looked at: a shared file system may hang');
  return { host, written: await writtenBy(host, { step: 'n1/a', task: 'a', befores: [{ files }] }) };
}

test('what a step wrote, each in the manner in which it is compared', async () => {
  const { written } = await installed();
  expect(Object.entries(written).map(([path, t]) => [path, t.by])).toEqual([
    [sysctl, 'whole'], ['/etc/hosts', 'block'], ['/usr/local/bin/runc', 'size'], ['/etc/systemd/system/x.service', 'target'], ['/etc/fstab', 'there'],
  ]); // prettier-ignore
});
test('what is gone and what was edited is told; what others may write into their own part of a file is not', async () => {
  const { host, written } = await installed();
  expect(await driftOf(host, written)).toEqual({ missing: [], changed: [] });
  host.files.put('/etc/hosts', `10.9.9.9 theirs\n${block('10.0.0.1 n1')}`);
  host.files.put('/etc/fstab', 'another\n');
  expect(await driftOf(host, written)).toEqual({ missing: [], changed: [] });
  host.files.put('/etc/hosts', block('10.0.0.2 n1'));
  host.files.put('/usr/local/bin/runc', 'short', 0o755);
  host.files.takeAway(sysctl);
  expect(await driftOf(host, written)).toEqual({ missing: [sysctl], changed: ['/etc/hosts', '/usr/local/bin/runc'] });
});
test('a later step that rewrites what an earlier one wrote is no other hand; what was wrong ahead of it stays told', async () => {
  const { host, written } = await installed();
  host.files.put('/etc/hosts', block('10.0.0.2 edited by hand'));
  const wasRight = new Set(Object.keys(written).filter((p) => p !== '/etc/hosts'));
  host.files.put(sysctl, '# Written by Strata\nvm.swappiness = 10\n');
  host.files.takeAway('/usr/local/bin/runc');
  const next = await writtenAfter(host, { known: written, own: {}, step: 'n1/b', wasRight });
  expect(await driftOf(host, next)).toEqual({ missing: [], changed: ['/etc/hosts'] });
  expect(Object.keys(next)).not.toContain('/usr/local/bin/runc');
  expect(await writtenAfter(host, { known: next, own: {}, step: 'n1/a', wasRight: ours })).toEqual({});
});
test('it is kept privately; half a file tells nothing', async () => {
  const { host, written } = await installed();
  await keepWritten(host, written);
  expect((await host.files.stat(writtenFile))?.mode).toBe(0o600);
  expect(await readWritten(host)).toEqual(written);
  host.files.put(writtenFile, '{"/etc/hos');
  expect(await readWritten(host)).toEqual({});
});
