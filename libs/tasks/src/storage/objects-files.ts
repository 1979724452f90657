import { ClusterName, FileArtifact, Ipv4, objectsPort, storageNames } from '@strata/model';
import { z } from 'zod';
import { secretInput } from '../define-task';
import type { WrittenFile } from '../orchestration/written-files';
import { objectsPaths as paths, systemdFolder } from './storage-paths';

export const ObjectsInput = z.strictObject({
  artifact: FileArtifact,
  cluster: ClusterName,
  address: Ipv4,
  identity: secretInput(), // certificate, key and the CA's certificate, as PEM
  access: secretInput(), // the key that may use the bucket, and nothing else
  secret: secretInput(),
});
export type ObjectsInput = z.infer<typeof ObjectsInput>;

export const identityHead = (input: { cluster: string; address: string }): string => `# ${storageNames(input.cluster).objects} ${input.address}\n`;
/** The only key there is: it may use this one bucket. Buckets are made over loopback, without any key. */
export function keysText(bucket: string, key: { access: string; secret: string }): string {
  const actions = ['Read', 'Write', 'List', 'Tagging'].map((action) => `${action}:${bucket}`);
  return `${JSON.stringify({ identities: [{ name: 'rootfs', credentials: [{ accessKey: key.access, secretKey: key.secret }], actions }] })}\n`;
}
export const masterPort = 8334;
const given = `/run/credentials/${paths.unit}`;
const port = objectsPort.seaweedfs;

/** The place of the data as root sees it: the account is the unit's own, and so is its folder. */
export const kept = paths.data.replace('/var/lib/', '/var/lib/private/');
/**
 * Everything on loopback: but for S3, its parts guard themselves with nothing. It answers before what it took is on the disk, and has no setting for its
 * lists that changes it: the folder's mark S, which new files inherit, makes each of its writes a flushed one. Without it a loss of power takes the objects
 * of the last half minute, which JuiceFS was told are safe.
 */
const service = `# Written by Strata
[Unit]
Description=Objects of the shared file system (SeaweedFS)
After=network.target
StartLimitIntervalSec=0

[Service]
ExecStartPre=-+/usr/bin/chattr -R +S ${kept}
ExecStart=${[
  `${paths.binary} -logtostderr=true server -dir=${paths.data} -ip=127.0.0.1 -ip.bind=127.0.0.1`,
  `-master.port=${masterPort} -master.volumeSizeLimitMB=512 -master.telemetry=false -volume.port=8335 -volume.max=0`,
  `-filer -filer.port=8336 -s3 -s3.ip.bind=127.0.0.1 -s3.port=${port} -s3.port.iceberg=0 -s3.port.lance=0`,
  `-s3.config=${given}/s3.json -s3.cert.file=${given}/certificate.pem -s3.key.file=${given}/key.pem`,
].join(' \\\n  ')}
LoadCredential=s3.json:${paths.keys}
LoadCredential=certificate.pem:${paths.certificate}
LoadCredential=key.pem:${paths.key}
DynamicUser=yes
StateDirectory=strata-objects
StateDirectoryMode=0700
WorkingDirectory=${paths.data}
UMask=0077
NoNewPrivileges=yes
LimitNOFILE=65536:1048576
Restart=always
RestartSec=1
TimeoutStopSec=45

[Install]
WantedBy=multi-user.target
`;
/** The one way in from other machines: its port of S3, as it is, TLS from end to end. */
const socket = (address: string): string => `# Written by Strata
[Unit]
Description=The S3 port of the shared file system
Wants=network-online.target
After=network-online.target strata-tunnel.service
StartLimitIntervalSec=0

[Socket]
ListenStream=${address}:${port}
FreeBind=yes
NoDelay=yes
Backlog=1024

[Install]
WantedBy=sockets.target
`;
const gate = `# Written by Strata
[Unit]
Description=The way in to the objects of the shared file system
Requires=${paths.socket}
After=${paths.socket}

[Service]
ExecStart=/lib/systemd/systemd-socket-proxyd --connections-max=4096 127.0.0.1:${port}
DynamicUser=yes
PrivateTmp=yes
NoNewPrivileges=yes
LimitNOFILE=16384
`;
/** All that is written but secrets. */
export const objectsFiles = (input: ObjectsInput): WrittenFile[] => [
  { path: `${systemdFolder}/${paths.unit}`, content: service },
  { path: `${systemdFolder}/${paths.socket}`, content: socket(input.address) },
  { path: `${systemdFolder}/${paths.gate}`, content: gate },
];
