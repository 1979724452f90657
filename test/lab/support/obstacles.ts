import type { Lab } from './lab';

/** Things that stand in the way of an install, put on a node as a machine's owner would have them. */

/** Holds a TCP port by a service of its own: perl is on every Debian. */
export async function holdPort(lab: Lab, node: string, { port, unit }: { port: number; unit: string }): Promise<void> {
  const program = `use Socket; socket(S, PF_INET, SOCK_STREAM, 0) or die; bind(S, sockaddr_in(${port}, INADDR_ANY)) or die; listen(S, 5) or die; sleep`;
  await lab.must(node, ['systemd-run', '--unit', unit, '--collect', 'perl', '-e', program]);
  await lab.must(node, ['bash', '-c', `for i in {1..100}; do (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && exit 0; sleep 0.1; done; exit 1`]);
}

/** Installs Debian packages, as an owner would by hand. */
export async function aptInstall(lab: Lab, node: string, packages: readonly string[]): Promise<void> {
  const script = 'apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"';
  await lab.must(node, ['sh', '-c', script, 'sh', ...packages], { timeoutMs: 10 * 60_000 });
}

const faketime = '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1';
/** What a process gets to see another clock: all nodes share one real clock, which nobody may set. `offset` like +2h. */
export const fakedClock = (offset: string): string[] => [`LD_PRELOAD=${faketime}`, `FAKETIME=${offset}`];
/** Everything that is started over SSH sees another clock. Installs libfaketime. */
export async function fakeClockOfSsh(lab: Lab, node: string, offset: string): Promise<void> {
  await aptInstall(lab, node, ['libfaketime']);
  await lab.must(node, ['sh', '-c', 'echo "SetEnv $*" > /etc/ssh/sshd_config.d/clock.conf && systemctl restart ssh', 'sh', ...fakedClock(offset)]);
}
