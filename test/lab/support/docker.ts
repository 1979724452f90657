import { aptInstall } from './obstacles';
import type { Lab } from './lab';

/** Docker as somebody runs it who never heard of Kubernetes: from Debian, a network of its own, a service and a client that uses it twice a second. */
const folder = '/var/log/shop';
const script = String.raw`
set -e
mkdir -p /var/tmp/image/bin /var/tmp/image/tmp ${folder}
cp /bin/busybox /var/tmp/image/bin/
ln -sf busybox /var/tmp/image/bin/sh
touch ${folder}/log
tar -C /var/tmp/image -c . | docker import - shop:1 > /dev/null
docker network create --subnet 172.30.5.0/24 shop > /dev/null
docker run -d --name web --network shop -p 8088:80 shop:1 /bin/sh -c 'cd /tmp && echo open > index.html && exec /bin/busybox httpd -f -p 80' > /dev/null
docker run -d --name client --network shop -v ${folder}:/seen shop:1 /bin/sh -c 'B=/bin/busybox; while :; do $B wget -q -O /dev/null http://web/ && $B date +%s >> /seen/log; $B sleep 0.5; done' > /dev/null
`;

/** Installs Docker and starts the shop. Forwarding is off before, as on any machine: so Docker closes the FORWARD chain. */
export async function openShop(lab: Lab, node: string): Promise<void> {
  await lab.must(node, ['sh', '-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward']);
  await aptInstall(lab, node, ['docker.io', 'iptables', 'busybox-static']);
  await lab.must(node, ['sh', '-s'], { input: script, timeoutMs: 120_000 });
}

export interface Shop {
  /** Name, state, moment of the start and process of each container. */
  containers: string[];
  /** Processes of dockerd and of its containerd. */
  daemons: string;
  /** The moments (s) at which the client was served. */
  served: number[];
}
export async function lookAtShop(lab: Lab, node: string): Promise<Shop> {
  const [containers, daemons, log] = await Promise.all([
    lab.must(node, ['docker', 'inspect', 'web', 'client', '--format', '{{.Name}} {{.State.Status}} {{.State.StartedAt}} {{.State.Pid}} {{.RestartCount}}']),
    lab.must(node, ['systemctl', 'show', '-P', 'MainPID', 'docker.service', 'containerd.service']),
    lab.must(node, ['cat', `${folder}/log`]),
  ]);
  return { containers: containers.split('\n').filter(Boolean), daemons, served: log.split('\n').filter(Boolean).map(Number) }; // prettier-ignore
}
/** The longest time (s) between two servings that the second look saw and the first did not. */
export function longestPause(before: Shop, after: Shop): number {
  const moments = after.served.slice(before.served.length - 1);
  return Math.max(...moments.slice(1).map((t, i) => t - (moments[i] ?? t)));
}
