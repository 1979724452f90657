import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Check, rootCauseFirst } from '@strata/model';
import { loadOrCreateServerKeys } from '@strata/pki';
import { lookAtControlHost } from './control-host';

let home: string;
let held: Server | null = null;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'doctor-'));
  chmodSync(home, 0o711);
  await loadOrCreateServerKeys(join(home, 'secrets'));
  writeFileSync(join(home, 'secrets/admin.token'), 'token', { mode: 0o600 });
  writeFileSync(join(home, 'server.yaml'), 'apiPort: 0\nagentPort: 0\nartifactPort: 0\nenrollPort: 0\n', { mode: 0o600 });
  mkdirSync(join(home, 'run'));
});
afterEach(async () => {
  await new Promise((resolve) => (held ? held.close(resolve) : resolve(null)));
  held = null;
  rmSync(home, { recursive: true, force: true });
});
const look = async (): Promise<Check[]> => rootCauseFirst(await lookAtControlHost(home));
const first = async (): Promise<unknown[]> => {
  const [check] = await look();
  return [check?.verdict, check?.code, check?.cause, check?.remedy];
};
const like = (words: RegExp): unknown => expect.stringMatching(words);
const supervisorSaid = (state: string, pid = 2 ** 22): void =>
  writeFileSync(
    join(home, 'run/status.json'),
    JSON.stringify({
      supervisor: { pid, state },
      parts: { postgres: { pid: null, state: 'stopped' }, redis: { pid: null, state: 'stopped' }, server: { pid: null, state: 'stopped' } },
    }),
  );

test('a home that is not there, and one that PostgreSQL cannot pass', async () => {
  chmodSync(home, 0o700);
  expect(await first()).toEqual(['broken', 'control.home', like(/mode 700/), like(/chmod 711/)]);
  expect(rootCauseFirst(await lookAtControlHost(join(home, 'nowhere')))[0]).toMatchObject({
    code: 'control.home',
    cause: like(/no control server was ever started/),
  });
});
test('a wrong setting is named as at start', async () => {
  writeFileSync(join(home, 'server.yaml'), 'apiPort: many\n');
  expect((await look()).find((c) => c.code === 'control.settings')).toMatchObject({ verdict: 'unknown', cause: like(/apiPort .*must be a port/) });
});
test('a key that is gone, and one that others may read', async () => {
  chmodSync(join(home, 'secrets/master.key'), 0o644);
  expect(await first()).toEqual(['broken', 'control.secrets', like(/master\.key may be read by others \(mode 644\)/), like(/chmod 600/)]);
  rmSync(join(home, 'secrets/ca.key'));
  expect(await first()).toEqual(['broken', 'control.secrets', like(/ca\.key is missing/), like(/restore it from a backup/)]);
});
test('a supervisor that never was, that was stopped, and that was killed', async () => {
  expect(await first()).toEqual(['broken', 'control.supervisor', 'it was never started here', 'strata up']);
  supervisorSaid('stopped');
  expect(await first()).toEqual(['broken', 'control.supervisor', 'the control server was stopped', 'strata up']);
  supervisorSaid('running');
  expect(await first()).toEqual(['broken', 'control.supervisor', like(/the supervisor \(process 4194304\) is dead/), like(/^strata up/)]);
});
test('a port that somebody else holds, with who it is', async () => {
  held = createServer();
  await new Promise<void>((resolve) => held?.listen(0, '127.0.0.1', () => resolve()));
  const { port } = held.address() as AddressInfo;
  writeFileSync(join(home, 'server.yaml'), `apiPort: ${port}\nagentPort: 0\nartifactPort: 0\nenrollPort: 0\n`, { mode: 0o600 });
  const found = (await look()).find((c) => c.code === 'control.ports');
  expect(found).toMatchObject({
    verdict: 'broken',
    cause: like(new RegExp(`port ${port} is held by .*process ${process.pid}`)),
    remedy: like(/end it, or choose another port/),
  });
});
