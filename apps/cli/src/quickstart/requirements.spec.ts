import { lacks, type Machine } from './requirements';

const good: Machine = { platform: 'linux', uid: 0, osId: 'debian', memory: 24 * 2 ** 30, free: 80 * 2 ** 30, cpus: 2, hasApt: true };
test.each<[string, Partial<Machine>, RegExp[]]>([
  ['a fitting machine', {}, []],
  ['no root', { uid: 1000 }, [/needs root.*sudo npm run quickstart/]],
  ['another system', { platform: 'darwin', hasApt: false, uid: 501 }, [/this is darwin/]],
  ['no apt', { hasApt: false, osId: 'fedora' }, [/fedora.*no apt-get/]],
  ['too small', { memory: 2 * 2 ** 30, free: 2 ** 30 }, [/6 GiB of memory/, /15 GiB on the disk/]],
])('%s', (_name, change, expected) => {
  const said = lacks({ ...good, ...change });
  expect(said).toHaveLength(expected.length);
  expected.forEach((e, i) => expect(said[i]).toMatch(e));
});
