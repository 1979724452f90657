import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Sql } from '../scenario/support/sql';
import type { LedgerEvent } from './support/api';
import { outcomes, runs } from './support/cluster';
import { aptInstall, fakedClock } from './support/obstacles';
import { root } from './support/program';
import type { Ran } from './support/program';
import { differences, type Snapshot, snapshot } from './support/snapshot';
import { World } from './support/world';

/** Machines that come by themselves: one line, pasted into a root shell. */
const long = 10 * 60_000;
const order = ['n1', 'n2', 'n3'];
interface JoinCommand {
  command: string;
  token: string;
}
let world: World;
let spec: string;
let clean: Snapshot;

/** n1 and n3 have curl; n2 is bare. */
beforeAll(async () => {
  world = await World.make({ nodes: 1, base: 'ready' });
  await world.lab.grow({ nodes: 2, base: 'bare' });
  await world.lab.grow({ nodes: 3, base: 'ready' });
  spec = await world.specFile({ join: order });
  clean = await snapshot(world.lab, 'n2');
}, long);
afterAll(() => world?.dispose(), 300_000);

const lineFor = async (name: string): Promise<JoinCommand> => JSON.parse(await world.server.must(['node', 'join-command', name, '-o', 'json'])) as JoinCommand;
/** As a person does it: the line goes into a shell, not into arguments. */
const paste = (node: string, line: string): Promise<Ran> => world.lab.exec(node, ['bash'], { input: `${line}\n`, timeoutMs: 180_000 });
const precheck = (): Promise<Ran> =>
  world.server.strata(['precheck', '-f', spec, '--yes', '--page', join(world.server.dir, 'precheck.html')], { timeoutMs: long });
const newestEvents = async (): Promise<LedgerEvent[]> => world.server.api.eventsOf((await runs(world))[0]?.id ?? '');

test(
  'before anybody came: refused, exit 3, and which command helps',
  async () => {
    const ran = await precheck();
    expect([ran.code, ran.stdout]).toEqual([3, expect.stringMatching(/control plane n1 cannot be reached[^]*strata node join-command/)]);
  },
  long,
);

test(
  'a line whose time is over, or that was replaced by a newer one, makes nobody a node',
  async () => {
    const late = await lineFor('n1');
    const sql = await Sql.open(world.server.home);
    try {
      expect(await sql.force(`update enroll_token set expires_at = now() - interval '1 second'`)).toBeGreaterThan(0);
    } finally {
      await sql.close();
    }
    const first = await paste('n1', late.command);
    expect([first.code, first.stderr]).toEqual([expect.not.stringMatching('^0$'), expect.stringMatching(/join token is expired; ask for a fresh line/)]);
    const replaced = await lineFor('n1');
    await lineFor('n1');
    const second = await paste('n1', replaced.command);
    expect([second.code === 0, second.stderr]).toEqual([false, expect.stringMatching(/join token is \w+; ask for a fresh line/)]);
    expect((await world.lab.exec('n1', ['test', '-e', '/etc/strata/agent.yaml'])).code).toBe(1);
  },
  long,
);

test(
  'the line, pasted as it is, makes a machine with curl a node; once',
  async () => {
    const { command, token } = await lineFor('n1');
    expect(command).toContain(token);
    const first = await paste('n1', command);
    expect([first.code, first.stderr + first.stdout]).toEqual([0, expect.stringMatching(/this machine is the node n1/)]);
    await world.lab.active('n1', 'stratad');
    const again = await paste('n3', command);
    expect([again.code === 0, again.stderr]).toEqual([false, expect.stringMatching(/join token is used; ask for a fresh line/)]);
    expect((await world.lab.exec('n3', ['test', '-e', '/etc/strata/agent.yaml'])).code).toBe(1);
    expect((await world.server.strata(['node', 'join-command', 'n1'])).stderr).toMatch(/enrolled already/);
  },
  long,
);

test(
  'a bare machine, without curl and wget, is told what to do, and that works',
  async () => {
    const { command } = await lineFor('n2');
    const ran = await paste('n2', command);
    expect([ran.code === 0, ran.stderr]).toEqual([false, expect.stringMatching(/install curl or wget, or copy stratad to \/usr\/local\/bin\/stratad by hand/)]);
    expect(differences(clean, await snapshot(world.lab, 'n2'))).toEqual([]);
    const agent = join(root, 'apps/agent/dist-bundle/stratad');
    expect(existsSync(agent)).toBe(true);
    await world.lab.must('n2', ['sh', '-c', 'base64 -d > /usr/local/bin/stratad'], { input: readFileSync(agent).toString('base64'), timeoutMs: 180_000 });
    const after = await paste('n2', command);
    expect([after.code, after.stderr + after.stdout]).toEqual([0, expect.stringMatching(/this machine is the node n2/)]);
  },
  long,
);

test(
  'a clock two hours off is found by the agent, with all else that is wrong there: exit 3, nothing changed',
  async () => {
    await aptInstall(world.lab, 'n3', ['libfaketime']);
    await world.lab.must('n3', ['ip', 'route', 'add', '10.244.0.0/16', 'via', world.lab.hostAddress]);
    const dir = '/etc/systemd/system/stratad.service.d';
    const dropIn = `[Service]\nEnvironment=${fakedClock('-2h').join(' ')}\n`;
    await world.lab.must('n3', ['sh', '-c', `mkdir -p ${dir} && cat > ${dir}/clock.conf`], { input: dropIn });
    const { command } = await lineFor('n3');
    // the token says who it is: a name that was edited in the line makes nobody n1
    const joined = await paste('n3', `export ${fakedClock('-2h').join(' ')}\n${command.replace('--name n3', '--name n1')}`);
    expect([joined.code, joined.stderr + joined.stdout]).toEqual([
      0,
      expect.stringMatching(/this machine is the node n3[^]*clock is -?7\d\d\d s behind the server's/),
    ]);
    const before = await snapshot(world.lab, 'n3');
    const ran = await precheck();
    expect([ran.code, ran.stdout]).toEqual([3, expect.stringMatching(/clock is 2\.0 hours behind the control server's/)]);
    expect(ran.stdout).toMatch(/pods 10\.244\.0\.0\/16 overlaps this machine's route/);
    const ended = outcomes(await newestEvents());
    for (const name of ['n1', 'n2']) expect([name, ended.get(`${name}/precheck.ports`)]).toEqual([name, 'satisfied']);
    expect(differences(before, await snapshot(world.lab, 'n3')).filter((l) => !/ \/var\/lib\/strata\//.test(l))).toEqual([]);
  },
  long,
);

test(
  'with that mended all three are fit, and nothing but the agent is on them',
  async () => {
    await world.lab.must('n3', [
      'sh',
      '-c',
      'rm -r /etc/systemd/system/stratad.service.d; systemctl daemon-reload; systemctl restart stratad; ip route del 10.244.0.0/16',
    ]);
    const ran = await precheck();
    expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-3_000)]).toEqual([0, '']);
  },
  long,
);
