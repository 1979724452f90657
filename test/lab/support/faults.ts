import { Redis } from 'ioredis';
import { join } from 'node:path';
import { until } from './program';
import type { World } from './world';

export const faultNames = ['server', 'agent', 'redis', 'postgres', 'flushall', 'crash', 'reboot'] as const;
export type FaultName = (typeof faultNames)[number];
/** Those that end whatever runs on the machine. */
export const ofMachine: ReadonlySet<FaultName> = new Set(['crash', 'reboot']);

/** A time in the run: a step is under way, and a look at a machine shows where in it. */
export interface Moment {
  name: string;
  step: string;
  /** Whose agent is killed at this moment. */
  node: string;
  /** Where to look, and a condition in shell that is true as soon as the moment is there. */
  look: { node: string; condition: string };
  /** Nothing is to be released at this moment: all that is left is under way already, so that the ledger may well be silent for seconds by itself. */
  allUnderWay?: true;
}
export const worker = 'n2';
const csr = 'kubectl --kubeconfig /etc/kubernetes/admin.conf get csr -o name 2>/dev/null | grep -q .';
export const moments: readonly Moment[] = [
  { name: 'dpkg', step: 'n2/packages.install', node: worker, look: { node: worker, condition: `grep -qs -e '[-]-unpack' -e '[-]-configure' /proc/[0-9]*/cmdline` } },
  { name: 'image import', step: 'n2/images.import@pods', node: worker, look: { node: worker, condition: `grep ' ctr .* import ' /var/log/witness.log | tail -n 1 | grep -q ^begin` } },
  { name: 'etcd, no API yet', step: 'n1/kubernetes.api', node: 'n1', look: { node: 'n1', condition: `grep -q ':094B 00000000:0000 0A' /proc/net/tcp` } },
  { name: 'join after CSR', step: 'n2/kubernetes.join', node: worker, look: { node: 'n1', condition: csr } },
  { name: 'network rollout', step: 'cluster/network.ready', node: worker, look: { node: worker, condition: 'true' }, allUnderWay: true },
]; // prettier-ignore

/** Waits, on the machine itself, until a moment is there. @param timeoutMs how long at most */
export async function reach(world: World, { look, name }: Moment, timeoutMs = 120_000): Promise<void> {
  const wait = `end=$(( $(date +%s) + ${Math.round(timeoutMs / 1000)} )); until ${look.condition}; do [ $(date +%s) -lt $end ] || exit 1; sleep 0.05; done`;
  const { code, stderr } = await world.lab.exec(look.node, ['sh', '-c', wait], { timeoutMs: timeoutMs + 20_000 });
  if (code !== 0) throw new Error(`${look.node} never came to "${name}" (${look.condition}): ${stderr}`);
}

/** Lets it happen, and waits until the part is back. @param node whose agent is meant. Gives the time, in ms since 1970, when the part was back. */
export async function strike(world: World, fault: FaultName, node: string): Promise<number> {
  if (fault === 'flushall') await flushAll(world.server.home);
  else if (fault === 'agent') await killAgent(world, node);
  else if (fault === 'crash' || fault === 'reboot') await loseMachine(world, fault);
  else await world.server.backAs(fault, world.server.kill(fault), 60_000);
  return Date.now();
}
async function flushAll(home: string): Promise<void> {
  const redis = new Redis({ path: join(home, 'redis/redis.sock') });
  await redis.flushall();
  redis.disconnect();
}
const pidOf = async (world: World, node: string): Promise<number> =>
  Number((await world.lab.exec(node, ['systemctl', 'show', '-P', 'MainPID', 'stratad.service'])).stdout.trim());
async function killAgent(world: World, node: string): Promise<void> {
  const pid = await pidOf(world, node);
  await world.lab.must(node, ['kill', '-KILL', String(pid)]);
  await until(`the agent of ${node} to run again`, 60_000, async () => ![0, pid].includes(await pidOf(world, node)));
}
async function loseMachine(world: World, how: 'crash' | 'reboot'): Promise<void> {
  await world.lab.act(how, worker);
  await until(`the agent of ${worker} to run after a ${how}`, 60_000, async () => (await pidOf(world, worker)) > 0);
}
