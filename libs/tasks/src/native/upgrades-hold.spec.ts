import { taskNamed } from '../registry';
import { MemoryHost, tryTask } from '../testing';
import { dnfText } from './upgrades-hold';

const task = taskNamed('upgrades.hold');

it('is taken by apt as a list of whole names', async () => {
  const host = new MemoryHost();
  const found = host.snapshot();
  const { outcome, result } = await tryTask(task, { host }, { input: { packages: ['conntrack', 'libstdc++6'] } });
  expect(outcome).toBe('changed');
  expect(host.files.text('/etc/apt/apt.conf.d/52strata-unattended-upgrades')).toContain('Package-Blacklist {\n  "conntrack$";\n  "libstdc\\+\\+6$";\n};');
  await tryTask(task, { host }, { action: 'undo', input: { packages: [] }, before: result.before });
  expect(host.snapshot()).toEqual(found);
});
it('fails where a later file of apt clears the list', async () => {
  const host = new MemoryHost();
  host.program('apt-config', () => ({ code: 0, stdout: 'Unattended-Upgrade::Package-Blacklist "";\n', stderr: '' }));
  const { result } = await tryTask(task, { host }, { input: { packages: ['conntrack'] } });
  expect(result.failure).toMatchObject({ code: 'upgrades-not-held', remedy: expect.stringContaining('apt-config dump') as string });
});
it.each([
  ['no settings of its own', '', '\n[base]\nexcludepkgs = socat\n'],
  ['a section without the key', '[commands]\nx = 1\n[base]\ndebuglevel = 1\n', '[commands]\nx = 1\n[base]\nexcludepkgs = socat\ndebuglevel = 1\n'],
  ["the owner's list, which is kept", '[base]\nexclude = kernel*\n[email]\n', '[base]\nexclude = kernel* socat\n[email]\n'],
  ['a key of another section', '[email]\nexclude = a\n[base]\n', '[email]\nexclude = a\n[base]\nexcludepkgs = socat\n'],
  ['what is there already', '[base]\nexcludepkgs=socat\n', '[base]\nexcludepkgs=socat\n'],
])('dnf-automatic: %s', (_, text, wanted) => {
  expect(dnfText(text, ['socat'])).toBe(wanted);
});
