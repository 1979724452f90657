import { hasUnit, environmentText, unitFits, unitText } from './unit';

test('the unit runs exactly this program, and outlives a supervisor that is killed', () => {
  const text = unitText(['/opt/a b/node', '/opt/x%y/supervisor.cjs', 'supervise', '--home', '/var/lib/strata-server', '--advertise', '10.0.0.1'], '/var/lib/strata-server');
  expect(text).toContain('ExecStart="/opt/a b/node" /opt/x%%y/supervisor.cjs supervise --home /var/lib/strata-server --advertise 10.0.0.1\n');
  expect(text).toMatch(/^KillMode=process$/m);
  expect(text).toMatch(/^Restart=always$/m);
  expect(text).toMatch(/^RestartPreventExitStatus=2 5$/m);
  expect(text).not.toMatch(/^Environment=/m); // everybody may read a unit
}); // prettier-ignore
test('settings, proxies and where programs are found go with it; nothing else of the environment does', () => {
  const env = {
    PATH: '/usr/bin', STRATA_API_PORT: '1', HTTPS_PROXY: 'http://u:p"$w@proxy:3128', https_proxy: 'x', DATABASE_URL_FILE: '/f', GOPROXY: 'g', STRATA_TOKEN_FILE: 't', STRATA_SERVER: 's',
    STRATA_HOME: 'h', SSH_AUTH_SOCK: 'a', AWS_SECRET_ACCESS_KEY: 'k', LESS: 'l', NO_PROXY: 'two\nlines', STRATA_MIRRORS: '',
  }; // prettier-ignore
  const names = environmentText(env).split('\n').filter(Boolean).map((l) => l.split('=')[0]); // prettier-ignore
  expect(names).toEqual(['PATH', 'STRATA_API_PORT', 'HTTPS_PROXY', 'https_proxy', 'DATABASE_URL_FILE', 'GOPROXY', 'HOME']);
  expect(environmentText(env)).toContain('HTTPS_PROXY="http://u:p\\"\\$w@proxy:3128"\n');
});
test('only the one default home is a unit', () => {
  expect(unitFits('/somewhere/else')).toBe(false);
  expect(hasUnit('/somewhere/else')).toBe(false);
});
