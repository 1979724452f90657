import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { BuildContext } from './built';
import { debianVersions } from './debian';
import { findGo, type Go } from './go-toolchain';
import { runProgram } from './programs';
import type { GoGroup } from './recipe';

const buildDeadlineMs = 60 * 60_000;
/** Each takes some 1.5 GiB, and as many processors as there are. */
const atOnce = 2;
const slots = pLimit(atOnce);
const goflags = '-trimpath -buildvcs=false';
/** Of compiler and linker, not of what they make: a collection less often takes 5 to 14 % less processor time (client-go, 2 cores); the limit holds each of them near a GiB where it can. */
const collectLess = { GOGC: '400', GOMEMLIMIT: '1200MiB' };

/** A Go binary of a recipe, ready to be built: `inputs` is all that its bytes depend on. */
export interface GoBinary {
  name: string;
  inputs: Record<string, unknown>;
  build(to: string): Promise<void>;
}

/** Looks up a binary in the recipe's groups, chooses a Go for it and pins its inputs. Throws when no group has it. */
export async function goBinary(context: BuildContext, groups: readonly GoGroup[], name: string): Promise<GoBinary> {
  const group = groups.find((g) => g.packages[name] !== undefined);
  const pkg = group?.packages[name];
  if (!group || pkg === undefined) throw new Error(`the recipe builds no binary ${name}`);
  const folder = group.module ? join(context.catalogDir, 'recipes', group.module) : undefined;
  const pins = { ...(folder ? await hashFolder(folder) : {}), ...(group.patch ? { patch: group.patch } : {}) };
  const go = await findGo(context, folder ? await goLine(folder) : '1.25');
  const c = group.cgo ? await debianVersions(context, group.cgo.debian) : undefined;
  const inputs = { go: go.version, goflags, target: 'linux/amd64/v1', package: pkg, ldflags: group.ldflags, tags: group.tags, pins, c };
  return { name, inputs, build: (to) => build({ context, group, pkg, name, go, folder }, to) };
}

interface Job {
  context: BuildContext;
  group: GoGroup;
  pkg: string;
  name: string;
  go: Go;
  folder: string | undefined;
}

/** Says what a build does: at once, or with the next beat. */
interface Teller {
  now: (what: string) => void;
  soon: (what: string) => void;
}
async function build(job: Job, to: string): Promise<void> {
  const started = Date.now();
  let doing = '';
  const tell = (): void => job.context.progress({ bytes: 0, total: 0, note: `${job.name}: ${doing}, ${Math.round((Date.now() - started) / 1000)} s` });
  const soon = (what: string): void => void (doing = what);
  const say = { soon, now: (what: string) => (soon(what), tell()) };
  const beat = setInterval(tell, 2_000);
  try {
    await alone(job, say, () => inTurn(job, say, () => compile(job, to, say)));
  } finally {
    clearInterval(beat);
    await rm(`${to}.src`, { recursive: true, force: true });
  }
}
/** Programs of one module, or of modules that are aligned, are built one after the other: most of their packages are the same, and two that Go compiles at once are compiled twice, for its cache knows only what is finished. */
async function alone({ context: { store, signal }, group: { module, aligned = module } }: Job, say: Teller, work: () => Promise<void>): Promise<void> {
  if (aligned === undefined) return work();
  const onWait = (pid: number): void => say.now(`waiting for another program with packages of ${aligned}, which process ${pid} compiles`);
  return store.locked(`go-${aligned.replaceAll('/', '-')}`, work, { onWait, ...(signal ? { signal } : {}) });
}
/** Not more than `atOnce` builds are under way. @throws when the signal is aborted, while it waits too */
async function inTurn({ context: { signal } }: Job, say: Teller, work: () => Promise<void>): Promise<void> {
  const isFull = (): boolean => slots.activeCount + slots.pendingCount >= atOnce;
  if (isFull()) say.now(`waiting until one of ${atOnce} others is compiled`);
  while (isFull()) await sleep(200, undefined, signal ? { signal } : {});
  return slots(work);
}

async function compile(job: Job, to: string, say: Teller): Promise<void> {
  const { context, group, go } = job;
  const env = goEnv(context, group);
  say.now(`compiling with Go ${go.version}`);
  const cwd = group.patch || !job.folder ? await patchedCopy(job, { dir: `${to}.src`, env }) : job.folder;
  let compiled = 0;
  await mkdir(dirname(to), { recursive: true });
  const modfile = job.folder && cwd !== job.folder ? [`-modfile=${join(job.folder, 'go.mod')}`] : [];
  const argv = ['build', '-v', '-mod=readonly', ...modfile, ...(group.tags ? ['-tags', group.tags] : []), '-ldflags', group.ldflags, '-o', to, job.pkg];
  const onLine = (line: string): void => {
    if (/^[\w.-]+(\/|$)/.test(line)) say.soon(`compiling, ${++compiled} packages so far`);
  };
  await runProgram([go.bin, ...argv], { cwd, env, onLine, deadlineMs: buildDeadlineMs, ...(context.signal ? { signal: context.signal } : {}) });
  say.now(`compiled ${compiled} packages and linked`);
}

function goEnv(context: BuildContext, group: GoGroup): NodeJS.ProcessEnv {
  const home = join(context.store.dir, 'go');
  return {
    ...(context.env['HOME'] ? {} : { GOPATH: home, GOCACHE: join(home, 'cache') }),
    ...collectLess,
    ...context.env,
    CGO_ENABLED: group.cgo ? '1' : '0',
    GOFLAGS: goflags,
    GOTOOLCHAIN: 'local',
    GOWORK: 'off',
    GOOS: 'linux',
    GOARCH: 'amd64',
    GOAMD64: 'v1',
  };
}

/** A copy of a public module with parts taken out; its checksum is compared before anything is done with it. */
async function patchedCopy(job: Job, place: { dir: string; env: NodeJS.ProcessEnv }): Promise<string> {
  const { patch } = job.group;
  if (!patch) throw new Error(`the recipe of ${job.name} has neither a module nor a patch`);
  const at = `${patch.module}@${patch.version}`;
  const options = {
    env: { ...place.env, GOSUMDB: 'off' },
    cwd: dirname(place.dir),
    deadlineMs: 10 * 60_000,
    ...(job.context.signal ? { signal: job.context.signal } : {}),
  };
  await mkdir(options.cwd, { recursive: true });
  const got = JSON.parse(await runProgram([job.go.bin, 'mod', 'download', '-json', at], options)) as { Dir: string; Sum: string };
  if (got.Sum !== patch.sum) throw new Error(`${at} has the checksum ${got.Sum}, the recipe pins ${patch.sum}`);
  await cp(got.Dir, place.dir, { recursive: true });
  await runProgram(['chmod', '-R', 'u+w', place.dir], { deadlineMs: 30_000 });
  await applyPatch(place.dir, patch);
  return place.dir;
}

/** Takes out of a copy of a module what its recipe leaves out. @throws Error when a pattern finds nothing: a patch may close a hole, and one that changes nothing must not pass for it */
export async function applyPatch(dir: string, patch: NonNullable<GoGroup['patch']>): Promise<void> {
  for (const folder of patch.remove) await rm(join(dir, folder), { recursive: true });
  for (const [file, pattern] of Object.entries(patch.drop)) {
    const path = join(dir, file);
    const lines = (await readFile(path, 'utf8')).split('\n');
    const kept = lines.filter((line) => !new RegExp(pattern).test(line));
    if (kept.length === lines.length)
      throw new Error(`the patch of ${patch.module}@${patch.version} finds no line like ${pattern} in ${file}: compare the recipe with that version`);
    await writeFile(path, kept.join('\n'));
  }
}

async function goLine(folder: string): Promise<string> {
  return /^go (\S+)/m.exec(await readFile(join(folder, 'go.mod'), 'utf8'))?.[1] ?? '1.21';
}

/** sha256 of every file in a folder, by name. */
async function hashFolder(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  const hashes = await Promise.all(
    names.map(async (n) =>
      createHash('sha256')
        .update(await readFile(join(folder, n)))
        .digest('hex'),
    ),
  );
  return Object.fromEntries(names.map((n, i) => [n, hashes[i] ?? '']));
}
