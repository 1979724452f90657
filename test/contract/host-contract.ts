import assert from 'node:assert/strict';
import { canonicalJson, Facts } from '@strata/model';
import { type Host, TaskError } from '@strata/tasks';

/** What every `Host` must do alike: the memory machine that most tests run on, and a real one. */
export interface ContractCase {
  name: string;
  /**
   * `scratch`: touches only the folder. `system`: changes the machine, and takes it back; never run it on a machine that matters.
   * `units`: the same, and needs systemd and an order: what a memory machine, which serves no single order, cannot know.
   */
  touches: 'scratch' | 'system' | 'units';
  run(host: Host, folder: string): Promise<void>;
}
const cases: ContractCase[] = [];
const scratch = (name: string, run: ContractCase['run']): void => void cases.push({ name, touches: 'scratch', run });
const system = (name: string, run: ContractCase['run']): void => void cases.push({ name, touches: 'system', run });
const units = (name: string, run: ContractCase['run']): void => void cases.push({ name, touches: 'units', run });
export const hostContract: readonly ContractCase[] = cases;

/** By text: a test runner's arrays are not of the same class as Node's own. */
const same = (found: unknown, expected: unknown): void => assert.equal(canonicalJson(found), canonicalJson(expected));
const code = (expected: string) => (error: unknown) => error instanceof TaskError && error.code === expected && error.remedy !== '';
const unit = 'strata-contract.service';
const unitPath = `/etc/systemd/system/${unit}`;
const unitText = (exec: string): string =>
  `[Unit]\nDescription=contract\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=${exec}\n[Install]\nWantedBy=multi-user.target\n`;

scratch('writes a file with its mode and makes missing parents', async ({ files }, folder) => {
  await files.write(`${folder}/a/b/text`, 'one\n', { mode: 0o600 });
  assert.equal(await files.read(`${folder}/a/b/text`), 'one\n');
  const stat = await files.stat(`${folder}/a/b/text`);
  same([stat?.kind, stat?.mode, stat?.size], ['file', 0o600, 4]);
  assert.equal((await files.stat(`${folder}/a`))?.mode, 0o755);
  same(await files.list(`${folder}/a`), ['b']);
  await files.write(`${folder}/a/b/text`, 'two');
  assert.equal((await files.stat(`${folder}/a/b/text`))?.mode, 0o644);
});
scratch('says null for what is not there, and removes it without complaint', async ({ files }, folder) => {
  const path = `${folder}/nothing/here`;
  same([await files.read(path), await files.stat(path), await files.sha256(path)], [null, null, null]);
  same(await files.list(path), []);
  await files.remove(path);
  await files.remove(path, { recursive: true });
});
scratch('says which path it is where a directory stands in the place of a file', async ({ files }, folder) => {
  await files.mkdir(`${folder}/conf`);
  await assert.rejects(files.read(`${folder}/conf`), code('not-a-file'));
  await assert.rejects(files.sha256(`${folder}/conf`), code('not-a-file'));
  await assert.rejects(files.write(`${folder}/conf`, 'text'), code('not-a-file'));
});
scratch('gives a file back: content, mode, kind', async ({ files }, folder) => {
  const path = `${folder}/conf`;
  await files.write(path, 'theirs', { mode: 0o640 });
  const image = await files.image(path);
  await files.write(path, 'ours');
  await files.restore(image);
  assert.equal(await files.read(path), 'theirs');
  assert.equal((await files.stat(path))?.mode, 0o640);
  await files.remove(path);
  await files.restore(image);
  assert.equal(await files.read(path), 'theirs');
  await files.restore(image);
});
scratch('gives back what was absent, with the folders above it', async ({ files }, folder) => {
  await files.mkdir(folder);
  const [one, two] = [await files.image(`${folder}/x/y/one`), await files.image(`${folder}/x/two`)];
  await files.write(`${folder}/x/y/one`, '');
  await files.write(`${folder}/x/two`, '');
  await files.restore(one);
  same(await files.list(`${folder}/x`), ['two']);
  await files.restore(two);
  assert.equal(await files.stat(`${folder}/x`), null);
  assert.notEqual(await files.stat(folder), null);
});
scratch('leaves a folder in which somebody else put something', async ({ files }, folder) => {
  const image = await files.image(`${folder}/x/ours`);
  await files.write(`${folder}/x/ours`, '');
  await files.write(`${folder}/x/theirs`, '');
  await files.restore(image);
  same(await files.list(`${folder}/x`), ['theirs']);
});
scratch('keeps links as links', async ({ files }, folder) => {
  const path = `${folder}/link`;
  await files.link(path, '../elsewhere');
  const image = await files.image(path);
  same([image.kind, image.target], ['link', '../elsewhere']);
  await files.write(path, 'a file now');
  await files.restore(image);
  const stat = await files.stat(path);
  same([stat?.kind, stat?.target], ['link', '../elsewhere']);
});
scratch('makes folders, keeps the mode of one that is there, removes a tree', async ({ files }, folder) => {
  await files.mkdir(`${folder}/d/e`, { mode: 0o700 });
  same([(await files.stat(`${folder}/d/e`))?.mode, (await files.stat(`${folder}/d`))?.mode], [0o700, 0o755]);
  await files.mkdir(`${folder}/d/e`);
  assert.equal((await files.stat(`${folder}/d/e`))?.mode, 0o700);
  await files.write(`${folder}/d/e/f`, '');
  await files.remove(`${folder}/d`, { recursive: true });
  assert.equal(await files.stat(`${folder}/d`), null);
});
scratch('gives equal digests to equal content', async ({ files }, folder) => {
  for (const [name, content] of [['a', 'same'], ['b', 'same'], ['c', 'other']] as const) await files.write(`${folder}/${name}`, content); // prettier-ignore
  const [a, b, c] = [await files.sha256(`${folder}/a`), await files.sha256(`${folder}/b`), await files.sha256(`${folder}/c`)];
  assert.match(a ?? '', /^[0-9a-f]{64}$/);
  assert.equal(a, b);
  assert.notEqual(a, c);
});
scratch('runs programs: an exit status is a result, a missing program is not', async ({ programs }) => {
  assert.equal((await programs.run(['false'])).code, 1);
  assert.equal((await programs.run(['cat'], { input: 'through\nit' })).stdout, 'through\nit');
  await assert.rejects(programs.run(['strata-no-such-program']), code('no-program'));
  assert.equal(await programs.which('strata-no-such-program'), null);
  assert.match((await programs.which('cat')) ?? '', /^\/.*\/cat$/);
});
scratch('gives the lines of a program as they come', async ({ programs }) => {
  const lines: string[] = [];
  await programs.run(['cat'], { input: 'one\ntwo\nthree', onLine: (line, stream) => lines.push(`${stream} ${line}`) });
  same(lines, ['stdout one', 'stdout two', 'stdout three']);
});
scratch('starts nothing for an order that was stopped', async ({ programs }) => {
  const stopped = new AbortController();
  stopped.abort('cancelled');
  await assert.rejects(programs.run(['cat'], { signal: stopped.signal }));
});
scratch('knows mounts, space and what a safe write costs', async ({ mounts, files }, folder) => {
  assert.ok((await mounts.list()).some((m) => m.path === '/'));
  const space = await mounts.space('/');
  assert.ok(space.size > space.free && space.free > 0);
  await files.mkdir(folder);
  assert.ok((await mounts.syncLatency(folder, 3)) > 0);
  same(await files.list(folder), []);
});
scratch('gives facts that fit their schema, or only those asked for', async (host) => {
  const facts = Facts.parse(await host.facts());
  assert.equal(facts.hostname, await host.hostname());
  same(Object.keys(await host.facts('os', 'memory')), ['os', 'memory']);
});
scratch('has no artifact that nobody fetched', async ({ artifacts }) => {
  const nothing = { kind: 'file' as const, name: 'nothing', version: '1.0.0', blob: { sha256: 'f'.repeat(64), size: 7 } };
  assert.equal(await artifacts.has(nothing), false);
  await artifacts.drop([nothing]);
});
scratch('knows root, and keys and modules and settings that are not there', async ({ users, kernel }) => {
  same([await users.home('root'), await users.home('strata-nobody')], ['/root', null]);
  same(await users.authorizedKeys('strata-nobody'), []);
  assert.equal(await kernel.module('strata_no_such'), 'absent');
  assert.equal(await kernel.sysctl('net.strata.no_such'), null);
  assert.match((await kernel.sysctl('net.ipv4.ip_forward')) ?? '', /^[01]$/);
});

system('starts, enables, stops and disables a unit by its file', async ({ units, files }) => {
  same(await units.state(unit), { load: 'not-found', active: 'inactive', enabled: 'unknown', mainPid: null });
  await files.write(unitPath, unitText('/bin/true'));
  await units.daemonReload();
  same(await units.state(unit), { load: 'loaded', active: 'inactive', enabled: 'disabled', mainPid: null });
  await units.enable(unit);
  assert.equal((await files.stat(`/etc/systemd/system/multi-user.target.wants/${unit}`))?.target, unitPath);
  await units.start(unit);
  await units.start(unit);
  same([(await units.state(unit)).active, (await units.state(unit)).enabled], ['active', 'enabled']);
  await units.stop(unit);
  await units.disable(unit);
  same([(await units.state(unit)).active, (await units.state(unit)).enabled], ['inactive', 'disabled']);
  assert.equal(await files.stat(`/etc/systemd/system/multi-user.target.wants/${unit}`), null);
  await files.remove(unitPath);
  await units.daemonReload();
  assert.equal((await units.state(unit)).load, 'not-found');
});
system('says why a unit does not start', async ({ units, files }) => {
  await assert.rejects(units.start('strata-no-such.service'), code('unit-failed'));
  await files.write(unitPath, unitText('/bin/false'));
  await units.daemonReload();
  await assert.rejects(units.start(unit), code('unit-failed'));
  assert.equal((await units.state(unit)).active, 'failed');
  await units.stop(unit);
  await files.remove(unitPath);
  await units.daemonReload();
  same(await units.state(unit), { load: 'not-found', active: 'inactive', enabled: 'unknown', mainPid: null });
});
system('sets a kernel setting, and names one that it cannot set', async ({ kernel }) => {
  const key = 'net.ipv4.ip_forward';
  const was = (await kernel.sysctl(key)) ?? '';
  await kernel.setSysctl(key, '1');
  assert.equal(await kernel.sysctl(key), '1');
  await kernel.setSysctl(key, was);
  await assert.rejects(kernel.setSysctl('net.strata.no_such', '1'), code('sysctl-refused'));
});
system('installs packages with what they bring, and purges exactly those named', async ({ packages }) => {
  assert.equal(await packages.manager(), 'apt');
  const before = await packages.all();
  assert.equal((await packages.installed(['gcc'])).gcc, null);
  await packages.install(['gcc'], { durable: 'install-gcc' });
  assert.notEqual((await packages.installed(['gcc'])).gcc, null);
  const brought = Object.keys(await packages.all()).filter((name) => before[name] === undefined);
  assert.ok(brought.includes('cpp'));
  await assert.rejects(packages.remove(['cpp'], { durable: 'purge-cpp' }), code('package-needed'));
  await packages.remove(brought, { durable: 'purge' });
  await packages.remove(brought, { durable: 'purge-again' });
  same(await packages.all(), before);
  same([await packages.lockHolder(), await packages.interrupted()], [null, []]);
});
system('refuses a package that no source has', async ({ packages }) => {
  await assert.rejects(packages.install(['strata-no-such-package'], { durable: 'install-nothing' }), code('package-unknown'));
});
system('changes the name of the machine', async (host) => {
  const was = await host.hostname();
  await host.setHostname('contract-name');
  same([await host.hostname(), (await host.facts('hostname')).hostname], ['contract-name', 'contract-name']);
  await host.setHostname(was);
});
system('sees sshd, and ports where nobody listens', async ({ network }) => {
  assert.match((await network.banner('127.0.0.1', 22, 5000)) ?? '', /^SSH-2\.0/);
  assert.equal(await network.banner('127.0.0.1', 9, 1000), null);
  same([await network.reaches('127.0.0.1', 22, 2000), await network.reaches('127.0.0.1', 9, 2000)], [true, false]);
  assert.equal(await network.get('http://127.0.0.1:9/', { timeoutMs: 1000 }), null);
  assert.ok((await network.links()).length > 0);
});

/** Notes that it ran, waits, and fails with 3. */
const slow = (folder: string): [string, ...string[]] => ['sh', '-c', `echo ran >> ${folder}/runs; echo "$HOME \\$" ; cat; sleep 1; exit 3`];
units('runs a durable program once, however often its order asks', async ({ programs, files }, folder) => {
  await files.mkdir(folder);
  const lines: string[] = [];
  const options = { durable: 'slow', input: 'of the input\n', onLine: (line: string) => void lines.push(line) };
  const first = programs.run(slow(folder), options);
  await new Promise((resolve) => setTimeout(resolve, 400)); // long enough that it runs, and shorter than it takes
  const results = await Promise.all([first, programs.run(slow(folder), options)]);
  results.push(await programs.run(slow(folder), options));
  for (const r of results) same([r.code, r.stdout], [3, '/root $\nof the input\n']);
  assert.ok(lines.includes('of the input'));
  same(await files.read(`${folder}/runs`), 'ran\n');
});
units('ends a durable program with all it started when its time is over', async ({ programs, files }, folder) => {
  await files.mkdir(folder);
  await assert.rejects(programs.run(['sh', '-c', `(sleep 3; touch ${folder}/late) & sleep 60`], { durable: 'endless', timeoutMs: 1000 }), code('timeout'));
  await new Promise((resolve) => setTimeout(resolve, 3000)); // the time after which a child that was left would show
  same(await files.list(folder), []);
});
units('says so when a durable program is not there', async ({ programs }) => {
  await assert.rejects(programs.run(['/no/such/program'], { durable: 'missing' }), code('no-program'));
});
