import type { LedgerEvent } from './support/api';
import { newRun, outcomes, ready, runs } from './support/cluster';
import { holdLock, hostsFromCloud, interruptDpkg, letLockGo, noHostsFromCloud } from './support/obstacles';
import { offered, type PackageSource, packageSource } from './support/package-source';
import { type Ran, until } from './support/program';
import { RunWatch } from './support/run-watch';
import { World } from './support/world';

/**
 * Machines that are broken, or become it, on the way: a lock that somebody holds, an interrupted dpkg, a full disk, package sources that say no, an
 * /etc/hosts that was replaced. Each waits or fails with its cause and the remedy, the other machine goes on, and the second try works.
 * `npm test` holds the lock for 15 s, `npm run test:faults` for three minutes.
 */
const all = process.env.STRATA_FAULTS === 'all';
const long = 15 * 60_000;
const worker = 'n2';
const step = `${worker}/packages.install`;
let world: World;

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready', diskSize: '8G' });
  await hostsFromCloud(world.lab, worker);
}, long);
afterAll(() => world?.dispose(), 300_000);

/** The lab's spec with packages besides. */
const specWith = (packages: readonly string[]): Promise<string> =>
  world.specFile({}, (text) => `${text.trimEnd()}\n  native: { packages: [${packages.join(', ')}] }\n`);
/** Applies; `meanwhile` hears the run as it goes. */
async function apply(packages: readonly string[], meanwhile: (watch: RunWatch) => Promise<void> = async () => undefined): Promise<{ ran: Ran; events: LedgerEvent[] }> {
  const spec = await specWith(packages);
  const known = (await runs(world)).map((r) => r.id);
  const applying = world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  const { id } = await newRun(world, known, 120_000);
  const watch = new RunWatch(world, id);
  const heard = watch.hearAll(300_000);
  await meanwhile(watch);
  const ran = await applying;
  await heard;
  return { ran, events: watch.events };
} // prettier-ignore
const noteOf = (e: LedgerEvent): string => (e.kind === 'OrderProgressed' && e.step === step ? String(e.body.note) : '');
async function works(packages: readonly string[]): Promise<void> {
  const { ran } = await apply(packages);
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000)]).toEqual([0, '']);
}

test('an interrupted dpkg on a stranger: refused before anything is changed, with the package and the remedy', async () => {
  await interruptDpkg(world.lab, worker, 'hello');
  const { ran } = await apply(['tree']);
  expect([ran.code, ran.stdout]).toEqual([3, expect.stringMatching(/n2.*dpkg was interrupted, and left half done: hello[\s\S]*dpkg --configure -a/)]);
  await world.lab.must(worker, ['dpkg', '--configure', '-a']);
}, long); // prettier-ignore

test('a held lock of dpkg: the step waits, says for whom and since when, and goes on by itself', async () => {
  await holdLock(world.lab, worker, { unit: 'upgrades' });
  let word = '';
  const { ran, events } = await apply(['tree'], async (watch) => {
    const waiting = await watch.first('the step to wait for the lock', long, (e) => /waiting for dpkg's lock/.test(noteOf(e)));
    word = noteOf(waiting);
    const view = await world.server.must(['runs', 'show', watch.runId]);
    expect(view).toMatch(/waiting for dpkg's lock, which perl \(pid \d+, upgrades\.service\) holds/);
    await new Promise((resolve) => setTimeout(resolve, all ? 180_000 : 15_000)); // the length of the disturbance itself
    expect(watch.settled(step)).toBe(false);
    await letLockGo(world.lab, worker, 'upgrades');
  });
  expect(word).toMatch(/^waiting for dpkg's lock, which perl \(pid \d+, upgrades\.service\) holds, since \d\d:\d\d:\d\d UTC$/);
  expect([ran.code, outcomes(events).get(step)]).toEqual([0, 'changed']);
  expect(events.filter((e) => e.kind === 'OrderSettled' && e.step === step).length).toBe(1); // no attempt was lost
  expect(ran.stdout).toMatch(/dpkg's lock is held by perl \(pid \d+, upgrades\.service\)/); // the precheck said it, and that nothing need be done
  expect(await ready(world)).toEqual({ n1: true, n2: true });
}, long); // prettier-ignore

test('an interrupted dpkg on a machine that is a node: the step fails at once with the package and the remedy; after the remedy it works', async () => {
  await interruptDpkg(world.lab, worker, 'hello');
  const { ran, events } = await apply(['tree', 'pv']);
  const failure = failed(events);
  expect([ran.code, failure.code, failure.message]).toEqual([4, 'package-interrupted', 'dpkg was interrupted, and left half done: hello']);
  expect(failure.remedy).toContain('dpkg --configure -a');
  await world.lab.must(worker, ['dpkg', '--configure', '-a']);
  await works(['tree', 'pv']);
}, long); // prettier-ignore

test('a disk that fills while the step waits: mount, bytes needed and free; nothing half fetched stays; after freeing it works', async () => {
  await holdLock(world.lab, worker, { unit: 'again' });
  const big = ['tree', 'pv', 'vim'];
  const { ran, events } = await apply(big, async (watch) => {
    await watch.first('the step to wait for the lock', long, (e) => /waiting for dpkg's lock/.test(noteOf(e)));
    await world.lab.act('full', worker, ['--leave', '12M']);
    await letLockGo(world.lab, worker, 'again');
  });
  const failure = failed(events);
  expect([ran.code, failure.code, failure.message]).toEqual([4, 'disk-full', expect.stringMatching(/they need [\d.]+ [kM]B to fetch.*\/ \([\d.]+ [kM]?B of [\d.]+ GB free\)/)]);
  expect(failure.remedy).toMatch(/free space on the file system of \//);
  expect((await world.lab.exec(worker, ['sh', '-c', 'ls /var/cache/apt/archives /var/cache/apt/archives/partial | grep -c vim'])).stdout).toBe('0\n');
  expect(await ready(world)).toEqual({ n1: true, n2: true }); // the cluster is none the worse
  await world.lab.act('full', worker, ['--undo']);
  await works(big);
}, long); // prettier-ignore

describe('a package source that says no', () => {
  let source: PackageSource;
  beforeAll(async () => {
    source = await packageSource(world.lab.hostAddress);
    await world.lab.must(worker, ['sh', '-c', 'mkdir /root/kept && mv /etc/apt/sources.list* /root/kept/ && mkdir /etc/apt/sources.list.d && rm -rf /var/lib/apt/lists/*_*']);
  }); // prettier-ignore
  afterAll(() => source?.close());
  const noes: [string, Parameters<PackageSource['line']>[0], string, { exit: number; code: string }, () => RegExp, RegExp][] = [
    ['403 for all', 'forbidden', 'jq', { exit: 4, code: 'package-source' }, () => new RegExp(`${source.url}/forbidden.* answered "403 Forbidden"`), /\/etc\/apt/],
    ['nobody signed it', 'unsigned', 'jq', { exit: 4, code: 'package-source-unsigned' }, () => new RegExp(`${source.url}/unsigned.* is not signed`), /signed-by/],
    ['it comes from the future', 'early', 'jq', { exit: 4, code: 'package-source-clock' }, () => new RegExp(`${source.url}/early.* was signed later than this machine's clock shows: valid in (2h 59min|3h)`), /clock/],
    ['it has no such package', 'offers', 'strata-nowhere', { exit: 1, code: 'package-unknown' }, () => /no package source of this machine has strata-nowhere/, /native\.packages/],
    ['403 for the package', 'offers', offered, { exit: 1, code: 'package-source' }, () => new RegExp(`${source.url}/offers.* answered "403 Forbidden" for ${offered}`), /\/etc\/apt/],
  ]; // prettier-ignore
  test.each(noes)(
    '%s',
    async (...[, way, name, { exit, code }, says, remedy]) => {
      await world.lab.must(worker, ['sh', '-c', 'echo "$1" > /etc/apt/sources.list', 'sh', source.line(way)]);
      const { ran, events } = await apply(['tree', 'pv', name]);
      const failure = failed(events);
      expect([ran.code, failure.code, failure.message]).toEqual([exit, code, expect.stringMatching(says())]); // 1: no machine has it
      expect(failure.remedy).toMatch(remedy);
      expect(ran.stdout).toContain(failure.message); // whoever watches is told
    },
    long,
  );
  test(
    'with a source that says yes the second try works, also while another still says no',
    async () => {
      await world.lab.must(worker, ['sh', '-c', 'rm -r /etc/apt/sources.list*; mv /root/kept/* /etc/apt/; echo "$1" > /etc/apt/sources.list.d/other.list', 'sh', source.line('forbidden')]); // prettier-ignore
      await works(['tree', 'pv', 'vim', 'jq']);
      await world.lab.must(worker, ['rm', '/etc/apt/sources.list.d/other.list']);
    },
    long,
  );
});

describe('/etc/hosts replaced, and the machine booted again', () => {
  const apiName = (): string => `api.${world.cluster}.strata.internal`;
  const packages = ['tree', 'pv', 'vim', 'jq'];
  test('by cloud-init from its template: the names are there, and the node is Ready', async () => {
    await world.lab.act('reboot', worker);
    expect(await world.lab.must(worker, ['cat', '/etc/hosts'])).toMatch(/manage_etc_hosts[\s\S]*BEGIN Strata/);
    expect(await world.lab.must(worker, ['getent', 'hosts', apiName()])).toContain(world.lab.node('n1').address);
    await until('the node to be Ready again', 180_000, async () => (await ready(world))[worker] ?? false);
  }, long); // prettier-ignore
  test('by hand: plan names the machine and the step, apply mends it, and the node is Ready again', async () => {
    await noHostsFromCloud(world.lab, worker);
    await world.lab.must(worker, ['sh', '-c', 'printf "127.0.0.1 localhost\\n10.255.255.1 something.else\\n" > /etc/hosts']);
    await world.lab.act('reboot', worker);
    expect((await world.lab.exec(worker, ['getent', 'hosts', apiName()])).code).not.toBe(0);
    await until(`the agent of ${worker} to be back`, 120_000, async () => (await nodes()).find((n) => n.name === worker)?.online ?? false);
    const plan = await world.server.must(['plan', '-f', await specWith(packages)], { timeoutMs: 300_000 });
    expect(plan.slice(plan.indexOf('n2 (worker)'))).toMatch(/\+ .*\(hosts\.block\): \/etc\/hosts lacks our part/);
    await works(packages);
    expect(await world.lab.must(worker, ['getent', 'hosts', apiName()])).toContain(world.lab.node('n1').address);
    expect(await world.lab.must(worker, ['cat', '/etc/hosts'])).toMatch(/^127\.0\.0\.1 localhost\n10\.255\.255\.1 something\.else\n# BEGIN Strata/);
    await until('the node to be Ready again', 180_000, async () => (await ready(world))[worker] ?? false);
  }, long); // prettier-ignore
  const nodes = (): Promise<{ name: string; online: boolean }[]> => world.server.api.must('GET', `/v1/clusters/${world.cluster}/nodes`);
});

/** Why the step failed in the end. */
function failed(events: readonly LedgerEvent[]): { code: string; message: string; remedy: string } {
  const last = events.filter((e) => e.kind === 'OrderSettled' && e.step === step).at(-1);
  const failure = (last?.body.result as { failure?: ReturnType<typeof failed> } | undefined)?.failure;
  if (!failure) throw new Error(`${step} did not fail: ${JSON.stringify(last?.body)}`);
  return failure;
}
