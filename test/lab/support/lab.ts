import { newMark } from './mark';
import { lastWords, labProgram, must, node as nodeProgram, type Ran, runProgram, until } from './program';

export interface LabNode {
  name: string;
  address: string;
  state: string;
  hostKey: string;
  second?: string | null; // address of its second card
  pid: number | null; // of its init, on this machine
}
interface View {
  name: string;
  hostAddress: string;
  keyFile: string;
  opsPasswordFile: string;
  nodes: LabNode[];
}
export interface LabOptions {
  nodes: number;
  base: 'bare' | 'ready';
  memory?: string;
  diskSize?: string;
}
export interface SpecOptions {
  bundles?: readonly string[];
  only?: readonly string[];
  join?: readonly string[];
  user?: 'root' | 'ops';
  login?: 'key' | 'password';
  cluster?: string;
}

/** A lab of its own. The cluster of its spec has its name. */
export class Lab {
  private constructor(private view: View) {}

  static async up(options: LabOptions): Promise<Lab> {
    const name = newMark();
    try {
      return new Lab(await raise(name, options));
    } catch (error) {
      await lab(['down', '--name', name], 120_000);
      throw error;
    }
  }
  get name(): string {
    return this.view.name;
  }
  get hostAddress(): string {
    return this.view.hostAddress;
  }
  get keyFile(): string {
    return this.view.keyFile;
  }
  get opsPasswordFile(): string {
    return this.view.opsPasswordFile;
  }
  get nodes(): readonly LabNode[] {
    return this.view.nodes;
  }
  node(name: string): LabNode {
    const found = this.view.nodes.find((n) => n.name === name);
    if (!found) throw new Error(`lab ${this.name} has no node ${name}`);
    return found;
  }
  /** Brings the lab to `options.nodes` machines, and looks at all of it again. */
  async grow(options: LabOptions): Promise<void> {
    this.view = await raise(this.name, options);
  }
  /** Looks again: pids change with a boot. */
  async refresh(): Promise<void> {
    const { labs } = JSON.parse((await must([nodeProgram, labProgram, 'list', '-o', 'json'], { timeoutMs: 60_000 })).stdout) as { labs: View[] };
    const found = labs.find((l) => l.name === this.name);
    if (!found) throw new Error(`lab ${this.name} is gone`);
    this.view = found;
  }

  /** Runs a command in a node as root. */
  exec(node: string, argv: readonly string[], { timeoutMs = 60_000, input }: { timeoutMs?: number; input?: string } = {}): Promise<Ran> {
    return lab(['exec', node, '--name', this.name, '--', ...argv], timeoutMs, input);
  }
  /** As `exec`, but anything other than exit status 0 throws. Gives the standard output. */
  async must(node: string, argv: readonly string[], options: Parameters<Lab['exec']>[2] = {}): Promise<string> {
    const ran = await this.exec(node, argv, options);
    if (ran.code !== 0) throw new Error(`on ${node}: \`${argv.join(' ').slice(0, 200)}\` ended with exit status ${ran.code}\n${lastWords(ran)}`);
    return ran.stdout;
  }
  /** Waits until a unit of a node runs: an agent that has rested for a while starts afresh by itself, and is away for a moment. */
  async active(node: string, unit: string): Promise<void> {
    await until(`${unit} to run on ${node}`, 30_000, async () => (await this.exec(node, ['systemctl', 'is-active', unit])).stdout === 'active\n');
  }
  /** A cluster spec for the nodes, as text. */
  async spec(options: SpecOptions = {}): Promise<string> {
    const { bundles = [], only, join, user, login, cluster } = options;
    const flags = [
      ...(only ? ['--only', only.join(',')] : []),
      ...(join ? ['--join', join.join(',')] : []),
      ...(user ? ['--user', user] : []),
      ...(login ? ['--login', login] : []),
      ...(cluster ? ['--cluster', cluster] : []),
    ];
    const { stdout } = await must([nodeProgram, labProgram, 'spec', '--name', this.name, '--distribution', 'kubernetes', ...flags], { timeoutMs: 60_000 });
    return bundles.length === 0 ? stdout : `${stdout.trimEnd()}\n  bundles: [${bundles.join(', ')}]\n`;
  }
  /** `crash`, `powercut`, `reboot`, `off`, `on`, `cut`, `heal`, `slow`, `narrow`, `slow-disk`, `full`, `address`, `card`, `nat`: as `strata lab` has them. */
  async act(action: string, node: string, args: readonly string[] = []): Promise<void> {
    await must([nodeProgram, labProgram, action, node, ...args, '--name', this.name], { timeoutMs: 180_000 });
    if (['crash', 'powercut', 'reboot', 'on', 'off'].includes(action)) await this.refresh();
  }
  /** Whether the nodes reach anything beyond each other and this machine's bridge address. */
  async outside(state: 'on' | 'off'): Promise<void> {
    await must([nodeProgram, labProgram, 'outside', state, '--name', this.name], { timeoutMs: 60_000 });
  }
  async dispose(): Promise<void> {
    await must([nodeProgram, labProgram, 'down', '--name', this.name], { timeoutMs: 180_000 });
  }
}

async function raise(name: string, { nodes, base, memory, diskSize }: LabOptions): Promise<View> {
  const flags = [...(memory ? ['--memory', memory] : []), ...(diskSize ? ['--disk-size', diskSize] : [])];
  const argv = ['up', '--name', name, '--nodes', String(nodes), '--base', base, ...flags, '--timeout', '300', '-o', 'json'];
  const ran = await lab(argv, 900_000); // the first one builds the base
  if (ran.code !== 0) throw new Error(`strata lab ${argv.join(' ')} ended with exit status ${ran.code}\n${lastWords(ran)}`);
  return JSON.parse(ran.stdout) as View;
}
const lab = (args: readonly string[], timeoutMs: number, input?: string): Promise<Ran> => runProgram([nodeProgram, labProgram, ...args], { timeoutMs, input });
