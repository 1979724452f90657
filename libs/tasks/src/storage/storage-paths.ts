/** Places of the shared file system on a node. Data is outside of the agent's own folder: it stays when everything else goes. */
const folder = '/etc/strata/storage';
export const storageFolder = folder;
export const storageBinaries = '/opt/strata/storage/bin';
export const systemdFolder = '/etc/systemd/system';

export const metadataPaths = {
  folder: `${folder}/metadata`,
  config: `${folder}/metadata/redis.conf`,
  users: `${folder}/metadata/users.acl`,
  certificate: `${folder}/metadata/certificate.pem`,
  key: `${folder}/metadata/key.pem`,
  ca: `${folder}/metadata/ca.pem`,
  objectsCa: `${folder}/metadata/objects-ca.pem`,
  formatted: `${folder}/metadata/formatted`,
  server: `${storageBinaries}/redis-server`,
  unit: 'strata-metadata.service',
  data: '/var/lib/strata-metadata',
  admin: `${folder}/metadata/admin`,
  peer: `${folder}/metadata/peer`, // how the two copies know each other
  guard: `${folder}/metadata/guard`,
} as const;

/** How far the metadata are, outside of their own folder. It stays with them. */
export const guardPaths = {
  unit: 'strata-metadata-mark.service',
  folder: '/var/lib/strata-metadata-mark',
  mark: '/var/lib/strata-metadata-mark/mark',
  volume: '/var/lib/strata-metadata-mark/volume', // whose they are
  closed: '/var/lib/strata-metadata-mark/closed',
  fenced: '/var/lib/strata-metadata-mark/fenced', // the run that closed it
  restored: '/var/lib/strata-metadata-mark/restored', // what the last restore found
  role: '/var/lib/strata-metadata-mark/role', // `primary` or `replica`: what these data are, wherever the settings come from
  alone: '/var/lib/strata-metadata-mark/alone', // a primary whose replica is not in step yet: it writes without
  stopped: '/var/lib/strata-metadata-mark/stopped', // the sizes of their files when Redis ended
  waits: '/var/lib/strata-metadata-mark/waits', // why a primary does not open yet
  handed: '/var/lib/strata-metadata-mark/handed', // the drill that gave the lead away, and how far all was
  led: '/var/lib/strata-metadata-mark/led', // the drill that took it
  released: '/var/lib/strata-metadata-mark/released', // the drill after which nobody asks the wrong machine
  taken: '/var/lib/strata-metadata-mark/taken', // the failover that took it
} as const;
/** Copies of the metadata, without the key of the bucket. */
export const dumpsFolder = '/var/lib/strata-metadata-dumps';
export const dumpPaths = {
  restoring: `${dumpsFolder}/restoring.json.gz`,
  beforeRestore: `${dumpsFolder}/before-restore.json.gz`,
} as const;

export const objectsPaths = {
  folder: `${folder}/objects`,
  keys: `${folder}/objects/s3.json`,
  certificate: `${folder}/objects/certificate.pem`,
  key: `${folder}/objects/key.pem`,
  ca: `${folder}/objects/ca.pem`,
  binary: `${storageBinaries}/weed`,
  unit: 'strata-objects.service',
  gate: 'strata-objects-gate.service',
  socket: 'strata-objects-gate.socket',
  data: '/var/lib/strata-objects',
} as const;

export const minioPaths = {
  folder: `${folder}/minio`,
  environment: `${folder}/minio/env`,
  user: `${folder}/minio/user`,
  policy: `${folder}/minio/policy.json`,
  certificate: `${folder}/minio/public.crt`,
  key: `${folder}/minio/private.key`,
  ca: `${folder}/minio/ca.pem`,
  clientFolder: `${folder}/minio/client`,
  binary: `${storageBinaries}/minio`,
  client: `${storageBinaries}/mc`,
  unit: 'strata-minio.service',
  data: '/var/lib/strata-minio',
} as const;

/** Where the data of each part lie on the machine that runs it. */
export const storageDataOf = { metadata: metadataPaths.data, seaweedfs: objectsPaths.data, minio: minioPaths.data } as const;

export const mountPaths = {
  folder: `${folder}/juicefs`,
  secrets: `${folder}/juicefs/env`,
  ca: `${folder}/juicefs/ca.pem`,
  objectsCa: `${folder}/juicefs/objects-ca.pem`,
  trust: `${folder}/juicefs/trust.pem`, // for metadata of somebody else's, and the objects
  raised: `${folder}/juicefs/raised`, // what the last restore of such metadata found
  binary: `${storageBinaries}/juicefs`,
  unit: 'strata-juicefs.service',
  markUnit: 'strata-juicefs-mark.service',
  guard: `${folder}/juicefs/guard`,
  beat: `${folder}/juicefs/beat`, // how far this node saw the tree
  closed: `${folder}/juicefs/closed`, // why it is not mounted
  seen: `${folder}/juicefs/seen`, // the highest slice that a cache of this node ever held when it was wiped
} as const;
