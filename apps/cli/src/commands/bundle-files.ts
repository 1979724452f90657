import { open, rename, rm, stat } from 'node:fs/promises';
import { createReadStream } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { BundleFileHead } from '@strata/artifacts';
import type { ApiClient } from '@strata/api-client';
import { artifactKey, type BundleFileMaking, type BundleFileManifest, type CreateBundleFile, exitCodes, Fingerprint, Name, Version } from '@strata/model';
import { CliError, usage } from '../cli-error';
import { table } from '../output/table';
import { readSpecFile } from '../spec/read-spec';
import { version } from '../version';
import { type Cli, type ContextFlags, type OutputFlags, show, withServer } from './cli';

export interface CreateFlags extends ContextFlags {
  file?: string;
  bundle: string[];
  artifact: string[];
  valid: number; // ms
  output: string;
}
const askMs = 500;

/** bundle create: the server makes and signs it, we take its bytes, and read them once more as whoever gets the file will. */
export async function create(cli: Cli, named: string, flags: CreateFlags): Promise<void> {
  const wish = wishOf(cli, named, flags);
  const file = resolve(flags.output);
  if (await stat(file).catch(() => null)) throw usage(`${file} is there already`, 'name another with -o FILE, or take it away first');
  await withServer(cli, flags, async (client) => {
    const making = await ready(cli, client, await client.createBundleFile(wish));
    const part = `${file}.part`;
    try {
      await keep(part, client.bundleFileContent(making.id));
      const { own } = await client.bundleKeys();
      const head = await readWhole(part, { trusted: (fingerprint) => fingerprint === own });
      await rename(part, file);
      cli.terminal.out(`${file}: ${contentOf(head.manifest)}, ${megabytes(making.size ?? 0)}, good until ${head.manifest.expires}`);
      cli.terminal.out(`  signed by this server. Another one takes it after: strata bundle trust ${own}`);
    } finally {
      await rm(part, { force: true });
    }
  });
}
function wishOf(cli: Cli, named: string, flags: CreateFlags): CreateBundleFile {
  const [name, of] = halves(named, 'how the file is called');
  const spec = flags.file === undefined ? undefined : readSpecFile(flags.file).spec;
  const artifacts = flags.artifact.map((a) => halves(a, 'an artifact')).map(([n, v]) => ({ name: n, version: v }));
  if (!Name.safeParse(name).success) throw usage(`"${name}" is no name of a bundle file`, Name.safeParse(name).error?.issues[0]?.message);
  if (!spec && flags.bundle.length + artifacts.length === 0) throw usage('nothing says what to pack', 'give a spec (-f cluster.yaml), bundles (--bundle NAME) or artifacts (--artifact NAME@VERSION)'); // prettier-ignore
  return { name, version: of, validMs: flags.valid, bundles: flags.bundle, artifacts, ...(spec && { spec }) };
}
function halves(text: string, what: string): [string, string] {
  const [name = '', of = '', ...more] = text.split('@');
  if (name === '' || more.length > 0 || !Version.safeParse(of).success) throw usage(`"${text}" does not say ${what}`, 'write NAME@VERSION, as site@1.0.0');
  return [name, of];
}
async function ready(cli: Cli, client: ApiClient, making: BundleFileMaking): Promise<BundleFileMaking> {
  let told = '';
  for (let now = making; ; now = await client.bundleFileMaking(making.id)) {
    const line = `${now.done} of ${now.total}: ${now.note.replace(/[\d.]+ ?%/, '')}`;
    if (line !== told && now.state === 'obtaining') cli.terminal.err(line);
    told = line;
    if (now.state === 'failed') throw new CliError(`the bundle file could not be made: ${now.note}`, { exitCode: exitCodes.failed, remedy: 'mend what is named and create it again: what was obtained stays in the store' }); // prettier-ignore
    if (now.state === 'ready') return now;
    await new Promise((wait) => setTimeout(wait, askMs));
  }
}
async function keep(file: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  await rm(file, { force: true });
  const out = await open(file, 'wx', 0o644);
  try {
    for await (const piece of pieces) await out.writeFile(piece);
    await out.sync();
  } finally {
    await out.close();
  }
  const dir = await open(dirname(file), 'r');
  await dir.sync().finally(() => dir.close());
}

/** bundle inspect: what is in a file and who signed it, with no server. Trusts nobody, takes nothing. */
export async function inspect(cli: Cli, file: string, flags: OutputFlags): Promise<void> {
  const head = await readWhole(file, {});
  show(cli, flags, { value: { signer: head.signer, digest: head.digest, ...head.manifest }, words: () => inspected(cli, head) });
}
function inspected(cli: Cli, { manifest: m, signer, digest }: BundleFileHead): string {
  const size = (a: BundleFileManifest['artifacts'][number]): number => (a.kind === 'image' ? a.blobs : [a.blob]).reduce((sum, b) => sum + b.size, 0);
  const rows = [
    ...m.artifacts.map((a) => [a.kind, a.name, a.version, megabytes(size(a))]),
    ...m.bundles.map((b) => ['bundle', b.name, b.version, `${b.files.length} files`]),
  ];
  return [
    `${m.name} ${m.version}: ${contentOf(m)}; whole and unchanged`,
    `made ${m.created} by Strata ${m.strata}, good until ${m.expires}${Date.parse(m.expires) <= cli.now() ? ': EXPIRED' : ''}`,
    `signed by ${signer}`,
    `manifest sha256 ${digest}`,
    '',
    table(['KIND', 'NAME', 'VERSION', 'SIZE'], rows),
  ].join('\n');
}

/** bundle verify: whether the server of the context would take the file, or whoever trusts `key`. */
export async function verify(cli: Cli, file: string, flags: ContextFlags & OutputFlags & { key?: string }): Promise<void> {
  const trust = flags.key === undefined ? await withServer(cli, flags, (client) => client.bundleKeys()) : null;
  const keys = trust ? [trust.own, ...trust.trusted.map((t) => t.fingerprint)] : [fingerprint(flags.key ?? '')];
  const { manifest: m, signer, digest } = await readWhole(file, { now: cli.now(), strata: version, trusted: (key) => keys.includes(key) });
  show(cli, flags, {
    value: { name: m.name, version: m.version, signer, digest, expires: m.expires },
    words: () => `${file} is good: ${m.name} ${m.version}, ${contentOf(m)}, signed by ${signer}, which is trusted; until ${m.expires}`,
  });
}

/** bundle push: the server reads it to its end, and takes all of it or nothing. */
export async function push(cli: Cli, file: string, flags: ContextFlags & OutputFlags): Promise<void> {
  const size = await sizeOf(file);
  await withServer(cli, flags, async (client) => {
    const { taken, added, kept } = await client.pushBundleFile({ size, pieces: told(cli, file, size) });
    show(cli, flags, {
      value: { taken, added, kept },
      words: () =>
        [
          `${taken.name} ${taken.version} is taken: ${added} of ${taken.artifacts.length} artifacts are new here${taken.bundles.length > 0 ? `, bundles ${taken.bundles.join(', ')}` : ''}`,
          ...(kept.length > 0 ? [`  this server has another content for ${kept.join(', ')}, and keeps its own`] : []),
        ].join('\n'),
    });
  });
}
async function* told(cli: Cli, file: string, size: number): AsyncGenerator<Uint8Array> {
  let [sent, tenths] = [0, 0];
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) {
    yield piece as Buffer;
    sent += (piece as Buffer).length;
    const now = Math.floor((sent / size) * 10);
    if (now > tenths && size > 50e6) cli.terminal.err(`${now * 10} % of ${megabytes(size)} sent`);
    tenths = now;
  }
}

/** bundle trust FINGERPRINT, bundle trust --list */
export async function trust(cli: Cli, key: string | undefined, flags: ContextFlags & OutputFlags & { list?: boolean }): Promise<void> {
  if (key === undefined && flags.list !== true) throw usage('nothing says whom to trust', 'give a fingerprint, or --list to see those that are trusted, and this server\'s own'); // prettier-ignore
  const now = await withServer(cli, flags, (client) => (key === undefined ? client.bundleKeys() : client.trustBundleKey(fingerprint(key))));
  show(cli, flags, {
    value: now,
    words: () => (key === undefined ? table(['FINGERPRINT', 'TRUSTED', 'BY'], [[now.own, 'this server itself', ''], ...now.trusted.map((t) => [t.fingerprint, t.at, t.by])]) : `bundle files signed by ${key} are taken from now on`), // prettier-ignore
  });
}
export async function untrust(cli: Cli, key: string, flags: ContextFlags & OutputFlags): Promise<void> {
  const now = await withServer(cli, flags, (client) => client.untrustBundleKey(fingerprint(key)));
  show(cli, flags, { value: now, words: () => `bundle files signed by ${key} are not taken any more; what was taken stays` });
}
/** bundle list: the files that the server has taken. */
export async function list(cli: Cli, flags: ContextFlags & OutputFlags): Promise<void> {
  const files = await withServer(cli, flags, (client) => client.bundleFiles());
  show(cli, flags, {
    value: files,
    words: () => (files.length === 0 ? 'no bundle file was taken yet' : table(['NAME', 'VERSION', 'ARTIFACTS', 'BUNDLES', 'TAKEN', 'BY', 'SIGNER'], files.map((f) => [f.name, f.version, String(f.artifacts.length), f.bundles.join(' '), f.at, f.by, f.signer]))), // prettier-ignore
  });
}

type Checks = Parameters<typeof import('@strata/artifacts').readBundleFile>[1];
/** @throws CliError with the reason when the file is not as it should be */
async function readWhole(file: string, checks: Checks): Promise<BundleFileHead> {
  await sizeOf(file);
  const { BundleFileRefused, readBundleFile } = await import('@strata/artifacts'); // only these commands need it: the others start faster
  return readBundleFile(createReadStream(file, { highWaterMark: 1 << 20 }), checks).catch((error: unknown) => {
    if (!(error instanceof BundleFileRefused)) throw error;
    throw new CliError(`${file} is refused: ${error.message}`, { exitCode: exitCodes.failed, remedy: error.remedy, cause: error });
  });
}
async function sizeOf(file: string): Promise<number> {
  const is = await stat(file).catch((cause: unknown) => {
    throw usage(`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, 'name a file that `strata bundle create` made', cause);
  });
  if (!is.isFile()) throw usage(`${file} is no file`, 'name a file that `strata bundle create` made');
  return is.size;
}
function fingerprint(text: string): string {
  const parsed = Fingerprint.safeParse(text);
  if (!parsed.success) throw usage(`"${text}" is no fingerprint of a bundle key`, parsed.error.issues[0]?.message);
  return parsed.data;
}
const contentOf = (m: BundleFileManifest): string =>
  `${m.artifacts.length} artifacts${m.bundles.length > 0 ? `, bundles ${m.bundles.map(artifactKey).join(', ')}` : ''}`;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
