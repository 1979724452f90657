import { Argument, Command, Option } from 'commander';
import { LabFailure } from './failure';
import { down, listLabs, up, viewLab, type LabView } from './lab';
import * as act from './node-actions';
import { parseCount, parseList, parseMtu, parseName, parsePercent, parseRate, parseSize } from './options';
import type { BaseName } from './plan/packages';
import { clusterSpec, clusterYaml, defaultVersions, type SpecChoice } from './plan/spec-text';
import { powerCut } from './power-cut';
import type { Settings } from './settings';
import { readLab } from './state';
import { supervise } from './supervisor';
import { requirePrograms, requireRoot } from './tools';

/** Where the command line writes. `exit` sets the exit code of a command that was run in a node. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly exit: (code: number) => void;
}

interface Common {
  name: string;
  output?: 'table' | 'json' | 'yaml';
}
interface SpecFlags extends Common, Pick<SpecChoice, 'distribution' | 'user' | 'login'> {
  distributionVersion?: string;
  only?: string[];
  join: string[];
  cluster?: string;
}
interface UpFlags extends Common {
  nodes: number;
  base: BaseName;
  memory: number;
  diskSize?: number;
  timeout: number;
}

const named = (command: Command): Command => command.addOption(new Option('--name <lab>', 'name of the lab').default('lab').argParser(parseName));
const seconds = (command: Command, value: number): Command =>
  command.addOption(new Option('--timeout <seconds>', 'how long to wait').default(value).argParser(parseCount));
const output = (command: Command, ...choices: string[]): Command =>
  command.addOption(new Option('-o, --output <format>', 'form of the answer').choices(choices).default(choices[0]));

const sizeText = (bytes: number | null): string => (bytes === null ? 'shared' : `${Math.round((bytes / 2 ** 30) * 10) / 10}G`);
const faultText = ({ cutFrom, rateKbit, loss, mtu, writesPerSecond }: LabView['nodes'][number]['faults']): string =>
  [
    cutFrom.length ? `cut from ${cutFrom.map((c) => (c === '*' ? 'all' : c)).join(', ')}` : '',
    rateKbit ? `${rateKbit} kbit/s` : '',
    loss ? `${loss} % lost` : '',
    mtu ? `packets up to ${mtu} bytes` : '',
    writesPerSecond ? `${writesPerSecond} writes/s` : '',
  ]
    .filter(Boolean)
    .join('; ');

function tableOf(labs: readonly LabView[]): string {
  const rows = labs.flatMap((lab) =>
    lab.nodes.map((n) => [lab.name, n.name, n.address, n.state, n.base, sizeText(n.memoryBytes), sizeText(n.diskBytes), faultText(n.faults)]),
  );
  const all = [['LAB', 'NODE', 'ADDRESS', 'STATE', 'BASE', 'MEMORY', 'DISK', 'FAULTS'], ...rows];
  const widths = all[0]?.map((_, i) => Math.max(...all.map((row) => row[i]?.length ?? 0))) ?? [];
  return (
    all
      .map((row) =>
        row
          .map((cell, i) => cell.padEnd(widths[i] ?? 0))
          .join('  ')
          .trimEnd(),
      )
      .join('\n') + '\n'
  );
}

/** The commands of `strata lab`. */
export function labProgram(settings: Settings, terminal: Terminal): Command {
  const program = new Command('strata lab').description('real Debian machines on this one, by systemd-nspawn, with faults');
  const json = (value: unknown): void => terminal.out(`${JSON.stringify(value, null, 2)}\n`);
  const say = (line: string): void => terminal.err(`${line}\n`);
  program.configureOutput({ writeOut: terminal.out, writeErr: terminal.err }).exitOverride();
  program.hook('preAction', () => requireRoot());

  const onNode = (name: string, description: string): Command =>
    named(program.command(name)).argument('<node>', 'name of the node, such as n2').description(description);
  const target = (node: string, flags: Common): act.Target => ({ settings, name: flags.name, node });

  const upCommand = output(seconds(named(program.command('up').description('make a lab, or bring one to its full number of nodes')), 120), 'table', 'json')
    .addOption(new Option('--nodes <n>', 'number of nodes').default(3).argParser(parseCount))
    .addOption(
      new Option('--base <base>', 'bare: nothing but what a machine needs to boot; ready: with the packages that Strata installs')
        .choices(['bare', 'ready'])
        .default('bare'),
    )
    .addOption(new Option('--memory <size>', 'memory limit of each new node').default(4 * 2 ** 30, '4G').argParser(parseSize))
    .addOption(new Option('--disk-size <size>', 'a disk of its own for each new node (`full` needs it)').argParser(parseSize));
  upCommand.action(async (flags: UpFlags) => {
    await requirePrograms(say);
    const done = await up(settings, {
      name: flags.name,
      nodes: flags.nodes,
      base: flags.base,
      memoryBytes: flags.memory,
      ...(flags.diskSize ? { diskBytes: flags.diskSize } : {}),
      deadline: flags.timeout * 1000,
      say,
    });
    if (flags.output === 'json') return json({ ...done.lab, elapsedMs: done.elapsedMs, basesBuilt: done.basesBuilt });
    terminal.out(tableOf([done.lab]));
    say(
      `${done.lab.nodes.length} nodes answer after ${(done.elapsedMs / 1000).toFixed(1)} s; log in: ssh -i ${done.lab.keyFile} root@${done.lab.nodes[0]?.address ?? ''}`,
    );
  });

  named(program.command('down').description('remove a lab without a trace'))
    .option('--all', 'remove all labs')
    .action(async (flags: Common & { all?: boolean }) => {
      const names = flags.all ? [...listLabs(settings).labs.map((l) => l.name), ...listLabs(settings).broken] : [flags.name];
      for (const name of names) {
        const started = Date.now();
        say((await down(settings, name)) ? `lab ${name} removed in ${((Date.now() - started) / 1000).toFixed(1)} s` : `there is no lab named ${name}`);
      }
    });

  output(program.command('list').description('all labs and their nodes'), 'table', 'json').action((flags: Common) => {
    const { labs, broken } = listLabs(settings);
    if (flags.output === 'json') return json({ labs, broken });
    terminal.out(tableOf(labs));
    for (const name of broken) say(`lab ${name} is half made: strata lab down --name ${name}`);
  });

  output(named(program.command('spec').description('print a cluster.yaml for the nodes of a lab')), 'yaml', 'json')
    .addOption(new Option('--distribution <kind>', 'what to install').choices(['kubernetes', 'k3s']).default('kubernetes'))
    .option('--distribution-version <version>', 'its version')
    .addOption(new Option('--only <nodes>', 'only these nodes, such as n1,n2').argParser(parseList))
    .addOption(new Option('--user <user>', 'who logs in: root, or ops (sudo with a password; base ready)').choices(['root', 'ops']).default('root'))
    .addOption(new Option('--login <way>', 'how ops logs in').choices(['key', 'password']).default('key'))
    .addOption(new Option('--join <nodes>', 'these come by join command instead of SSH').default([], 'none').argParser(parseList))
    .addOption(new Option('--cluster <name>', "name of the cluster (default: the lab's)").argParser(parseName))
    .action((flags: SpecFlags) => {
      const lab = viewLab(settings, readLab(settings, flags.name));
      const unknown = [...(flags.only ?? []), ...flags.join].find((name) => !lab.nodes.some((n) => n.name === name));
      if (unknown) {
        throw new LabFailure(`lab ${lab.name} has no node named ${unknown}`, {
          remedy: `its nodes are: ${lab.nodes.map((n) => n.name).join(', ')}`,
          exitCode: 2,
        });
      }
      const { distribution, user, login, join } = flags;
      const version = flags.distributionVersion ?? defaultVersions[distribution];
      const choice = { cluster: flags.cluster ?? lab.name, distribution, version, keyFile: lab.keyFile, passwordFile: lab.opsPasswordFile, user, login, join };
      const nodes = lab.nodes.filter((n) => flags.only?.includes(n.name) ?? true);
      if (flags.output === 'json') return json(clusterSpec(choice, nodes));
      terminal.out(clusterYaml(choice, nodes));
    });

  onNode('exec', 'run a command in a node as root: strata lab exec n1 -- systemctl status')
    .argument('<command...>', 'the command and its arguments')
    .addOption(new Option('--timeout <seconds>', 'kill it after so long').argParser(parseCount))
    .action(async (node: string, command: string[], flags: Common & { timeout?: number }) => {
      terminal.exit(await act.exec(target(node, flags), command, flags.timeout && flags.timeout * 1000));
    });

  type Waiting = Common & { wait: boolean; timeout: number };
  seconds(onNode('reboot', 'reboot a node from inside').option('--no-wait', 'do not wait until it answers again'), 60).action(
    async (node: string, flags: Waiting) => act.reboot(target(node, flags), { wait: flags.wait, deadline: flags.timeout * 1000 }),
  );
  seconds(
    onNode('crash', 'everything in the node dies at once; it boots again, with all that it had written')
      .option('--no-wait', 'do not wait until it answers again')
      .option('--stay-off', 'it does not boot again'),
    60,
  ).action(async (node: string, flags: Waiting & { stayOff?: boolean }) =>
    act.crash(target(node, flags), { wait: flags.wait, stayOff: flags.stayOff ?? false, deadline: flags.timeout * 1000 }),
  );
  seconds(
    named(program.command('powercut'))
      .argument('<nodes...>', 'names of nodes, such as n2; they lose power at once')
      .description('power loss, with all that was not yet on the disk (the lab needs --disk-size); they boot again')
      .option('--stay-off', 'they do not boot again'),
    60,
  ).action(
    async (nodes: string[], flags: Waiting & { stayOff?: boolean }) =>
    powerCut(nodes.map((node) => target(node, flags)), { stayOff: flags.stayOff ?? false, deadline: flags.timeout * 1000 }), // prettier-ignore
  );
  seconds(onNode('off', 'shut a node down; it stays off'), 30).action(async (node: string, flags: Waiting) => {
    if ((await act.off(target(node, flags), flags.timeout * 1000)) === 'forced') say(`${node} did not shut down within ${flags.timeout} s: its power was cut`);
  });
  seconds(onNode('on', 'switch a node on'), 60).action(async (node: string, flags: Waiting) => act.on(target(node, flags), flags.timeout * 1000));
  onNode('cut', 'cut a node off, both ways; its link stays up')
    .addOption(new Option('--from <peers>', 'only from these: host, n2, ...').default([], 'all').argParser(parseList))
    .action(async (node: string, flags: Common & { from: string[] }) => act.cut(target(node, flags), flags.from));
  onNode('heal', 'end cuts, losses and limits of a node, and take away what `full` put on its disk').action(async (node: string, flags: Common) =>
    act.heal(target(node, flags)),
  );
  named(program.command('outside').description("cut all nodes' way out of the lab's own network (off), or open it (on); this machine's bridge address stays"))
    .addArgument(new Argument('<state>').choices(['on', 'off']))
    .action(async (state: string, flags: Common) => act.outside({ settings, name: flags.name }, state === 'on'));
  onNode('slow', 'limit bandwidth of a node, lose frames')
    .addOption(new Option('--rate <rate>', 'such as 1mbit, each way').argParser(parseRate))
    .addOption(new Option('--loss <percent>', 'share of frames lost, each way').default(0).argParser(parsePercent))
    .action(async (node: string, flags: Common & { rate?: number; loss: number }) =>
      act.slow(target(node, flags), { loss: flags.loss, ...(flags.rate ? { rateKbit: flags.rate } : {}) }),
    );
  onNode('narrow', 'let no larger packets pass the link of a node, and tell neither end; heal ends it')
    .argument('<bytes>', 'such as 1400', parseMtu)
    .action(async (node: string, bytes: number, flags: Common) => act.narrow(target(node, flags), bytes));
  onNode('slow-disk', "limit what a node's disk does; heal ends it")
    .addOption(new Option('--writes <count>', 'so many a second').default(20).argParser(parseCount))
    .action(async (node: string, flags: Common & { writes: number }) => act.slowDisk(target(node, flags), flags.writes));
  onNode('full', "fill a node's disk, so that it gets ENOSPC (the lab needs --disk-size); heal ends it")
    .addOption(new Option('--leave <size>', 'bytes to leave free').default(0, '0').argParser(parseSize))
    .option('--undo', 'take the filling away')
    .action(async (node: string, flags: Common & { leave: number; undo?: boolean }) => {
      if (flags.undo) await act.unfull(target(node, flags));
      else say(`${node} has ${await act.full(target(node, flags), flags.leave)} bytes left`);
    });
  onNode('address', 'give a node a new address')
    .argument('<address>', "a free one in the lab's subnet")
    .action(async (node: string, address: string, flags: Common) => act.changeAddress(target(node, flags), address));

  onNode('card', 'give a node a second network card (lan1), on a network that leads nowhere else')
    .addOption(new Option('--mtu <bytes>', 'its largest packet').default(1500).argParser(parseCount))
    .action(async (node: string, flags: Common & { mtu: number }) => {
      say(`${node} has the second address ${await act.addCard(target(node, flags), flags.mtu)}`);
    });

  onNode('nat', 'put a node behind a NAT: it can dial out, nobody can reach it').action(async (node: string, flags: Common) => {
    say(`${node} has the address ${await act.putBehindNat(target(node, flags))} behind the NAT`);
  });

  program.command('_supervise <lab> <node>', { hidden: true }).action(async (lab: string, node: string) => supervise(settings, lab, node));
  return program;
}
