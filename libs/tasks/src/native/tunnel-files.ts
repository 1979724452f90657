import { Ipv4, Port, tunnelLink } from '@strata/model';
import { z } from 'zod';
import { secretInput } from '../define-task';
import type { WrittenFile } from '../orchestration/written-files';

const TunnelName = z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/);
/** `hub`: the control plane, that all others dial. `node`: one that dials; `answerThrough` if nobody reaches it otherwise. */
const TunnelEnd = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('hub'), listen: Ipv4, peers: z.array(z.strictObject({ name: TunnelName, address: Ipv4, own: Ipv4.optional() })) }),
  z.strictObject({ kind: z.literal('node'), hub: Ipv4, hubName: TunnelName, answerThrough: z.boolean() }),
]);
export const TunnelInput = z.strictObject({
  identity: secretInput(), // certificate, key and the CA's certificate, as PEM
  name: TunnelName,
  address: Ipv4,
  prefix: z.int().min(8).max(24),
  mtu: z.int().min(1280).max(9000),
  port: Port,
  end: TunnelEnd,
});
export type TunnelInput = z.infer<typeof TunnelInput>;

export const tunnelPaths = {
  folder: '/etc/strata/tunnel',
  peers: '/etc/strata/tunnel/peers',
  identity: '/etc/strata/tunnel/identity.pem',
  ca: '/etc/strata/tunnel/ca.pem',
  linkUnit: 'strata-tunnel-link.service',
  unit: 'strata-tunnel.service',
} as const;
const systemd = '/etc/systemd/system';
/** The table and the rule that lead answers from the tunnel's address back into the tunnel. */
export const answerTable = '7447';
const mask = (prefix: number): string => [24, 16, 8, 0].map((shift) => Math.floor((2 ** 32 - 2 ** (32 - prefix)) / 2 ** shift) % 256).join('.');

/** The interface and its address, there as soon as the machine is: kubelet and flannel look for the address when they start, whoever answers then. */
function linkUnit(t: TunnelInput): string {
  // `protocol kernel`: systemd-networkd takes away the rules and routes of others when it starts, these it leaves alone
  const answers = [
    `ExecStart=-ip rule del from ${t.address} lookup ${answerTable}`,
    `ExecStart=ip rule add from ${t.address} lookup ${answerTable} priority ${answerTable} protocol kernel`,
    `ExecStart=ip route replace default dev ${tunnelLink} table ${answerTable} proto kernel`,
  ];
  return `# Written by Strata
[Unit]
Description=The interface of Strata's tunnel
Before=kubelet.service strata-tunnel.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-ip tuntap add dev ${tunnelLink} mode tun
ExecStart=ip link set ${tunnelLink} mtu ${t.mtu} up
ExecStart=ip address replace ${t.address}/${t.prefix} dev ${tunnelLink}
ExecStart=-sysctl -q -w net.ipv4.conf.${tunnelLink}.rp_filter=2
${t.end.kind === 'node' && t.end.answerThrough ? `${answers.join('\n')}\n` : ''}
[Install]
WantedBy=multi-user.target
`;
}
const tunnelUnit = `# Written by Strata
[Unit]
Description=Strata's tunnel between nodes that cannot all reach each other
Wants=network-online.target
After=network-online.target ${tunnelPaths.linkUnit}
Requires=${tunnelPaths.linkUnit}
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=openvpn --suppress-timestamps --config ${tunnelPaths.folder}/openvpn.conf
Restart=always
RestartSec=2
TimeoutStartSec=60
CapabilityBoundingSet=CAP_NET_ADMIN
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
`;

function settings(t: TunnelInput): string {
  const common = [
    `dev ${tunnelLink}`, 'dev-type tun', 'topology subnet', 'persist-tun', 'ifconfig-noexec', 'route-noexec',
    `ca ${tunnelPaths.ca}`, `cert ${tunnelPaths.identity}`, `key ${tunnelPaths.identity}`, 'tls-version-min 1.2', 'data-ciphers AES-256-GCM',
    `tun-mtu ${t.mtu}`, 'mssfix 0', 'verb 3', 'script-security 0',
  ]; // prettier-ignore
  const own =
    t.end.kind === 'hub'
      ? [
          'mode server', 'tls-server', 'proto tcp-server', `local ${t.end.listen}`, `port ${t.port}`, `ifconfig ${t.address} ${mask(t.prefix)}`,
          'dh none', 'remote-cert-tls client', 'client-to-client', `client-config-dir ${tunnelPaths.peers}`, 'ccd-exclusive', 'keepalive 5 30', 'push "topology subnet"',
          'tcp-nodelay',
        ] // prettier-ignore
      : [
          'client', 'proto tcp-client', `remote ${t.end.hub} ${t.port}`, 'nobind', 'remote-cert-tls server', `verify-x509-name ${t.end.hubName} name`,
          'connect-retry 1 15', 'connect-timeout 10', 'resolv-retry infinite',
          // pods' packets go to the very address that the tunnel dials; the tunnel's own never take it: only those from the tunnel's address are led there
          'allow-recursive-routing',
        ]; // prettier-ignore
  return `# Written by Strata\n${[...own, ...common].join('\n')}\n`;
}
/** What the control plane knows of one node: its address in the tunnel, and the one besides that it may speak from. */
const peerFile = (t: TunnelInput, p: { address: string; own?: string }): string =>
  `ifconfig-push ${p.address} ${mask(t.prefix)}\n${p.own === undefined ? '' : `iroute ${p.own} 255.255.255.255\n`}`;

/** All that is written but the secrets. */
export const tunnelFiles = (t: TunnelInput): WrittenFile[] => [
  { path: `${systemd}/${tunnelPaths.linkUnit}`, content: linkUnit(t) },
  { path: `${systemd}/${tunnelPaths.unit}`, content: tunnelUnit },
  { path: `${tunnelPaths.folder}/openvpn.conf`, content: settings(t) },
  ...(t.end.kind === 'hub' ? t.end.peers.map((p) => ({ path: `${tunnelPaths.peers}/${p.name}`, content: peerFile(t, p) })) : []),
];
