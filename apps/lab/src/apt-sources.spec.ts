import { fetchSettings, mirrorIn } from './apt-sources';

it('finds the mirror of the main suite in both formats', () => {
  const sources = `Types: deb\nURIs: http://sec.example/debian-security\nSuites: bookworm-security\n\nTypes: deb\n# note\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n`;
  expect(mirrorIn([{ path: '/etc/apt/sources.list.d/debian.sources', text: sources }])).toBe('http://mirror.example/debian');
  const list = '# deb http://old.example/debian bookworm main\ndeb [signed-by=/k.gpg arch=amd64] http://mirror.example/debian bookworm main contrib\n';
  expect(mirrorIn([{ path: '/etc/apt/sources.list', text: list }])).toBe('http://mirror.example/debian');
  expect(mirrorIn([{ path: '/etc/apt/sources.list', text: 'deb http://mirror.example/debian trixie main\n' }])).toBeUndefined();
});

it('keeps how packages are fetched, and leaves what belongs to other programs', () => {
  const dump = [
    'Acquire::http::Proxy "http://proxy.example:3128";',
    'Acquire::IndexTargets::deb::DEP-11::x "y";',
    'Acquire::Languages:: "none";',
    'Acquire::Check-Valid-Until "false";',
    'APT::x "y";',
  ].join('\n');
  expect(fetchSettings(dump)).toEqual([
    'Acquire::http::Proxy "http://proxy.example:3128";',
    'Acquire::Languages:: "none";',
    'Acquire::Check-Valid-Until "false";',
  ]);
});
