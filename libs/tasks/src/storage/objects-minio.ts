import { storageNames } from '@strata/model';
import { z } from 'zod';
import { defineTask, type NodeContext } from '../define-task';
import { differing, type FileImages, imagesOf, writeAll } from '../orchestration/written-files';
import { TaskError } from '../task-error';
import { until } from '../wait';
import { begin, halt, idle } from '../service-units';
import { environmentText, minioFiles, MinioInput, minioUrl, policy, rootUser, userText } from './minio-files';
import { identityHead } from './objects-files';
import { hasIdentity, known, writeIdentity } from './secrets';
import { beforeOf, ServiceBefore, takeAway } from './service';
import { minioPaths as paths } from './storage-paths';

type Context = Pick<NodeContext<MinioInput>, 'host' | 'input' | 'secret'>;

/** The files that hold secrets, as they shall be; null in an order without secrets. */
function secretFiles({ input, secret }: Context): { path: string; content: string }[] | null {
  const [root, access, own] = [input.root, input.access, input.secret].map((ref) => known(secret, ref));
  if (root == null || access == null || own == null) return null;
  return [
    { path: paths.environment, content: environmentText(root) },
    { path: paths.user, content: userText({ access, secret: own }) },
  ];
}
async function other(c: Context): Promise<string | null> {
  const { host, input } = c;
  for (const { path, artifact } of programs(input)) if ((await host.files.sha256(path)) !== artifact.blob.sha256) return `${path} is not ${artifact.version}`;
  const words = await differing(host, minioFiles(input));
  if (words !== null) return words;
  if (!(await hasIdentity(host, paths.certificate, identityHead(input)))) return 'it has no certificate for this name and address';
  if ((await host.files.stat(paths.user)) === null) return 'its bucket has no key';
  for (const { path, content } of secretFiles(c) ?? []) if ((await host.files.read(path)) !== content) return 'it has another key';
  return null;
}
const programs = (input: MinioInput): { path: string; artifact: MinioInput['artifact'] }[] => [
  { path: paths.binary, artifact: input.artifact },
  { path: paths.client, artifact: input.client },
];

/** Its client, as the administrator: the password goes by the environment, the key of the bucket by standard input. @throws TaskError */
async function client({ host, input, secret }: Context, argv: readonly string[], text = ''): Promise<void> {
  const root = `https://${rootUser}:${secret(input.root)}@${minioUrl(input).slice('https://'.length)}`;
  const env = { MC_HOST_strata: root, SSL_CERT_FILE: paths.ca };
  const all = [paths.client, '--config-dir', paths.clientFolder, '--json', ...argv] as const;
  const { code, stdout, stderr } = await host.programs.run(all, { timeoutMs: 60_000, input: text, env });
  if (code === 0) return;
  throw new TaskError('objects-refuse', `MinIO does not do \`${argv.slice(0, 3).join(' ')}\`: ${(stderr || stdout).trim().slice(-400)}`, {
    remedy: `read \`journalctl -u ${paths.unit}\`, then retry the step`,
    retry: true,
  });
}
/** The bucket, and the one user that may use it. Each again is the same. */
async function makeBucket(c: Context): Promise<void> {
  const { input, secret } = c;
  const access = secret(input.access);
  await client(c, ['mb', '--ignore-existing', `strata/${storageNames(input.cluster).bucket}`]);
  await client(c, ['admin', 'policy', 'create', 'strata', policy, paths.policy]);
  await client(c, ['admin', 'user', 'add', 'strata'], userText({ access, secret: secret(input.secret) }));
  await client(c, ['admin', 'policy', 'attach', 'strata', policy, '--user', access]);
}

/** MinIO for the data of the shared file system: one bucket, one user that may use it, no console; S3 with TLS on the node's address and on loopback. */
export const objectsMinio = defineTask({
  name: 'objects.minio', version: 1, layer: 'native', timeout: '8m', attempts: 3,
  title: 'The objects of the shared file system answer (MinIO)',
  input: MinioInput,
  before: ServiceBefore,
  output: z.strictObject({}),
  async check(c) {
    const reason = (await other(c)) ?? (await idle(c.host, [paths.unit]));
    if (reason === null) return { state: 'satisfied', output: {} };
    const before = await beforeOf(c.host, { units: [paths.unit], binary: paths.binary, folder: paths.folder });
    const images: FileImages = before.there ? before.images : { files: [...before.images.files, ...(await imagesOf(c.host, [paths.client])).files] };
    return { state: 'unsatisfied', reason, before: { ...before, images } };
  },
  async apply(c) {
    const { host, input, secret } = c;
    if ((await other(c)) === null) return;
    await halt(host, [paths.unit]);
    for (const { path, artifact } of programs(input)) await host.files.install(artifact, path, { mode: 0o755 });
    await host.files.mkdir(paths.folder, { mode: 0o700 });
    await writeIdentity(host, paths, { head: identityHead(input), pem: secret(input.identity) });
    for (const { path, content } of secretFiles(c) ?? []) await host.files.write(path, content, { mode: 0o600 });
    await writeAll(host, minioFiles(input));
  },
  async verify(c) {
    const { host, input, clock, signal, log } = c;
    await begin(host, [paths.unit], log);
    const ca = (await host.files.read(paths.ca)) ?? '';
    const remedy = `read \`journalctl -u ${paths.unit}\` on this machine, then retry the step`;
    const at = (path: string): string => `${minioUrl(input)}${path}`;
    const status = async (path: string): Promise<number | null> => (await host.network.get(at(path), { timeoutMs: 5000, ca }))?.status ?? null;
    const wait = { what: 'MinIO to answer', timeoutMs: 120_000, everyMs: 500, signal, remedy };
    await until(clock, wait, async () => ((await status('/minio/health/live')) === 200 ? true : null));
    await makeBucket(c);
    const open = await status(`/${storageNames(input.cluster).bucket}?list-type=2`);
    if (open === null || open < 400)
      throw new TaskError('objects-open', `MinIO answers somebody without a key (status ${open ?? 'none'})`, {
        remedy: 'see the policies of MinIO on this machine, then retry the step',
      });
  },
  async undo({ host, before, log }) {
    if (before.there) return log('it was there before this run: the shared file system lives by it, so it goes on as it is');
    await takeAway(host, [paths.unit], before);
    log(`the objects themselves stay in ${paths.data}`);
  },
}); // prettier-ignore
