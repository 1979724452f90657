import { ClusterName, FileArtifact, Ipv4, objectsPort, storageNames } from '@strata/model';
import { z } from 'zod';
import { secretInput } from '../define-task';
import type { WrittenFile } from '../orchestration/written-files';
import { minioPaths as paths, systemdFolder } from './storage-paths';

export const MinioInput = z.strictObject({
  artifact: FileArtifact,
  client: FileArtifact,
  cluster: ClusterName,
  address: Ipv4,
  identity: secretInput(), // certificate, key and the CA's certificate, as PEM
  root: secretInput(), // the administrator's password, used on this machine alone
  access: secretInput(), // the key that may use the bucket, and nothing else
  secret: secretInput(),
});
export type MinioInput = z.infer<typeof MinioInput>;

export const rootUser = 'strata-root';
export const policy = 'strata-rootfs';
const port = objectsPort.minio;
export const minioUrl = (input: { address: string }): string => `https://${input.address}:${port}`;

/** Root's alone; systemd gives it to the service. Neither console nor a look for newer versions. */
export const environmentText = (root: string): string => `MINIO_ROOT_USER=${rootUser}\nMINIO_ROOT_PASSWORD=${root}\nMINIO_BROWSER=off\nMINIO_UPDATE=off\n`;
/** How the client asks for what a user shall be: by its standard input, a line each. */
export const userText = (key: { access: string; secret: string }): string => `${key.access}\n${key.secret}\n`;

const given = `/run/credentials/${paths.unit}`;
const own = '/run/strata-minio';
const drive = `${paths.data}/drive`; // it takes no link for one, as its data folder is
/** MinIO wants a folder of its own for its certificate, which it may write to, and a home. */
const unit = (input: MinioInput): string => `# Written by Strata
[Unit]
Description=Objects of the shared file system (MinIO)
Wants=network-online.target
After=network-online.target strata-tunnel.service
StartLimitIntervalSec=0

[Service]
EnvironmentFile=${paths.environment}
Environment=HOME=${own}
ExecStartPre=/bin/sh -c 'umask 077; mkdir -p ${own}/CAs ${drive} && cp ${given}/public.crt ${given}/private.key ${own}/'
ExecStart=${paths.binary} server --quiet --certs-dir ${own} --address ${input.address}:${port} ${drive}
LoadCredential=public.crt:${paths.certificate}
LoadCredential=private.key:${paths.key}
DynamicUser=yes
StateDirectory=strata-minio
StateDirectoryMode=0700
RuntimeDirectory=strata-minio
RuntimeDirectoryMode=0700
UMask=0077
NoNewPrivileges=yes
LimitNOFILE=65536:1048576
Restart=always
RestartSec=1
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target
`;
/** One bucket, and of it only what a file system needs. */
function policyText(bucket: string): string {
  const allow = (actions: string[], what: string): object => ({ Effect: 'Allow', Action: actions.map((a) => `s3:${a}`), Resource: [`arn:aws:s3:::${what}`] });
  const objects = ['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload', 'ListMultipartUploadParts', 'GetObjectTagging', 'PutObjectTagging'];
  const all = [allow(['GetBucketLocation', 'ListBucket', 'ListBucketMultipartUploads'], bucket), allow(objects, `${bucket}/*`)];
  return `${JSON.stringify({ Version: '2012-10-17', Statement: all })}\n`;
}
/** All that is written but secrets. */
export const minioFiles = (input: MinioInput): WrittenFile[] => [
  { path: `${systemdFolder}/${paths.unit}`, content: unit(input) },
  { path: paths.policy, content: policyText(storageNames(input.cluster).bucket), mode: 0o600 },
];
