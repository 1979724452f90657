import { ClusterName, Ipv4, metadataPort, NodeName, storageNames } from '@strata/model';
import { z } from 'zod';
import { secretInput } from '../define-task';
import type { WrittenFile } from '../orchestration/written-files';
import { guardFiles, guardLines } from './metadata-guard';
import { Peer, replicaLagSeconds } from './metadata-peer';
import { guardPaths, metadataPaths as paths, systemdFolder } from './storage-paths';

export const MetadataInput = z.strictObject({
  cluster: ClusterName,
  address: Ipv4,
  maxMemoryMiB: z.int().min(64),
  identity: secretInput(), // certificate, key and the CA's certificate, as PEM
  admin: secretInput(), // the administrator's password
  adminHash: secretInput(), // and its sha256
  users: z.array(z.strictObject({ node: NodeName, hash: secretInput() })), // only the sha256 of each node's password
  peer: Peer.optional(), // where there are two copies
});
export type MetadataInput = z.infer<typeof MetadataInput>;

/** Who a node is to the metadata. */
export const nodeUser = (node: string): string => `node.${node}`;
export const identityHead = (input: { cluster: string; address: string }): string => `# ${storageNames(input.cluster).meta} ${input.address}\n`;

/** What a user may: JuiceFS needs everything but what endangers others, and to read the server's version; the other copy follows, and asks how far all is. */
const rights = { admin: '~* &* +@all', node: '~* &* +@all -@dangerous -@admin +info', peer: '~strata-* +psync +replconf +ping +role +get' } as const;
export interface RedisUser {
  name: string;
  kind: keyof typeof rights;
  hash: string; // sha256 of the password
}
/** `user NAME on …`, as a line of the file. */
export const userLine = (u: RedisUser): string => `user ${u.name} on #${u.hash} ${rights[u.kind]}`;
/**
 * Nobody can be the default user: it is off and has no password. It has all rights all the same, because Redis reads its own log as that user: with fewer
 * it leaves every transaction out when it starts, and with them the metadata.
 */
const nobody = 'user default off resetpass ~* &* +@all';
export const usersText = (users: readonly RedisUser[]): string => `${nobody}\n${users.map((u) => `${userLine(u)}\n`).join('')}`;
/** Names of the users in such a text, the default one aside. */
export const namesIn = (text: string): string[] => [...text.matchAll(/^user (\S+) on /gm)].map((m) => m[1] ?? '');

const given = `/run/credentials/${paths.unit}`;
/** Opened to the network by the guard, when it is known that these are the newest. */
const config = (input: MetadataInput): string => `# Written by Strata
bind 127.0.0.1
port 0
tls-port ${metadataPort}
tls-cert-file ${given}/certificate.pem
tls-key-file ${given}/key.pem
tls-ca-cert-file ${given}/ca.pem
tls-auth-clients no
aclfile ${given}/users.acl
supervised systemd
dir ${paths.data}
appendonly yes
appendfsync always
save ""
maxmemory ${input.maxMemoryMiB}mb
maxmemory-policy noeviction
${input.peer ? `tls-replication yes\nmin-replicas-max-lag ${replicaLagSeconds}\n` : ''}`;
/** The settings are given to the service by systemd: its account is made for its time alone and can read nothing of root's. */
const unit = `# Written by Strata
[Unit]
Description=Metadata of the shared file system (Redis)
Wants=network-online.target ${guardPaths.unit}
After=network-online.target strata-tunnel.service
Before=strata-juicefs.service
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=${paths.server} ${given}/redis.conf
${guardLines}
LoadCredential=redis.conf:${paths.config}
LoadCredential=users.acl:${paths.users}
LoadCredential=certificate.pem:${paths.certificate}
LoadCredential=key.pem:${paths.key}
LoadCredential=ca.pem:${paths.ca}
DynamicUser=yes
StateDirectory=strata-metadata
StateDirectoryMode=0700
UMask=0077
NoNewPrivileges=yes
Restart=always
RestartSec=1
TimeoutStartSec=600
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target
`;
/** All that is written but secrets and users. */
export const metadataFiles = (input: MetadataInput): WrittenFile[] => [
  { path: `${systemdFolder}/${paths.unit}`, content: unit },
  { path: paths.config, content: config(input), mode: 0o600 },
  ...guardFiles(input.address, input.peer?.address),
];
