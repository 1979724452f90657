import { wantsSecrets } from './execute-order';
import { unitText } from './unit';
import { version } from './version';
import pkg from '../package.json';

test('the version is the package’s', () => expect(version).toBe(pkg.version));
test('a reference to a secret is found at any depth', () => {
  expect(wantsSecrets({ a: [{ b: { $secret: 'mint:bootstrap-token:n2' } }] })).toBe(true);
  expect(wantsSecrets({ a: [1, null, 'x', { $output: 'x' }] })).toBe(false);
});
test('the unit restarts the agent always and carries no secret', () => {
  expect(unitText('/usr/local/bin/stratad')).toMatch(/ExecStart=\/usr\/local\/bin\/stratad run\nRestart=always/);
});
