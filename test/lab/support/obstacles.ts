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

/** Holds dpkg's lock as its frontends do, by a service of its own, until `letLockGo`. */
export async function holdLock(lab: Lab, node: string, { unit, path = '/var/lib/dpkg/lock-frontend' }: { unit: string; path?: string }): Promise<void> {
  const program = `use Fcntl qw(F_SETLK F_WRLCK SEEK_SET); open(F, "+>>", shift) or die; my \$lock = pack("s s x4 q q i x4", F_WRLCK, SEEK_SET, 0, 0, 0); fcntl(F, F_SETLK, \$lock) or die "held by another"; open(M, ">", "/run/${unit}.held"); close M; sleep`;
  await lab.must(node, ['systemd-run', '--unit', unit, '--collect', 'perl', '-e', program, path]);
  await lab.must(node, ['sh', '-c', `for i in $(seq 100); do [ -e /run/${unit}.held ] && exit 0; sleep 0.1; done; exit 1`]);
}
export async function letLockGo(lab: Lab, node: string, unit: string): Promise<void> {
  await lab.must(node, ['systemctl', 'stop', unit]);
}
/** Leaves a package unpacked and not configured, as a power cut or an impatient hand does. */
export async function interruptDpkg(lab: Lab, node: string, name: string): Promise<void> {
  const script = 'cd /root && apt-get update -q && apt-get download -q "$1" && dpkg --unpack "$1"_*.deb && rm "$1"_*.deb';
  await lab.must(node, ['sh', '-c', script, 'sh', name], { timeoutMs: 5 * 60_000 });
}

const template = '/etc/cloud/templates/hosts.debian.tmpl';
/** Makes a machine write /etc/hosts anew from cloud-init's template at each boot, as one with `manage_etc_hosts: true` in its user data does. */
export async function hostsFromCloud(lab: Lab, node: string): Promise<void> {
  const unit = `[Unit]\nDefaultDependencies=no\nBefore=network.target stratad.service\nAfter=local-fs.target\n[Service]\nType=oneshot\nExecStart=/usr/bin/sed -n -e '/^##/d' -e 'w /etc/hosts' ${template}\n[Install]\nWantedBy=multi-user.target\n`;
  const text = `## template:jinja\n# Your system has configured 'manage_etc_hosts' as True.\n127.0.1.1 ${node}\n127.0.0.1 localhost\n`;
  await lab.must(node, ['sh', '-c', 'mkdir -p /etc/cloud/templates && printf %s "$1" > "$2" && printf %s "$3" > /etc/systemd/system/cloud-hosts.service && systemctl enable -q cloud-hosts', 'sh', text, template, unit]); // prettier-ignore
}
export async function noHostsFromCloud(lab: Lab, node: string): Promise<void> {
  await lab.must(node, ['sh', '-c', 'systemctl disable -q cloud-hosts; rm -rf /etc/cloud /etc/systemd/system/cloud-hosts.service']);
}
