import { PackageName } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';

/** Names that this task brought onto the machine, by what it was asked for: written when it is done. */
const note = '/var/lib/strata/notes/packages.json';
/** Where apt keeps which packages came for another's sake. It makes the file with the first such one, and leaves it, empty, when all are gone. */
const autoMarks = '/var/lib/apt/extended_states';
type Notes = Record<string, string[]>;
const keyOf = (packages: readonly string[]): string => [...packages].sort().join(' ');

async function notes(host: Host): Promise<Notes> {
  return JSON.parse((await host.files.read(note)) ?? '{}') as Notes;
}
/** Everything installed now that was not there before. */
async function added(host: Host, before: readonly string[]): Promise<string[]> {
  const known = new Set(before);
  return Object.keys(await host.packages.all()).filter((name) => !known.has(name)).sort(); // prettier-ignore
}

/** Folders of unit links that are empty: dpkg takes them away with the last unit of a package. */
async function emptyFolders(host: Host): Promise<string[]> {
  const base = '/etc/systemd/system';
  const empty: string[] = [];
  for (const name of (await host.files.list(base)).filter((n) => /\.(wants|requires)$/.test(n)))
    if ((await host.files.list(`${base}/${name}`)).length === 0) empty.push(`${base}/${name}`);
  return empty;
}

const aLine = 8; // packages
const mostSteps = 30;
/** Progress that the log tells too, in words: by tenths, and each wait once. */
function told(progress: (fraction: number | null, note: string) => void, log: (line: string) => void): (fraction: number | null, note: string) => void {
  let [last, lines] = ['', 0];
  return (fraction, note) => {
    progress(fraction, note);
    const mark = fraction === null ? note.replace(/[\d.]+/g, '') : `${Math.floor(fraction * 10)}`;
    if (mark === last || lines >= mostSteps) return;
    [last, lines] = [mark, lines + 1];
    log(fraction === null ? note : `${Math.round(fraction * 100)} %: ${note}`);
  };
}

export const packagesInstall = defineTask({
  name: 'packages.install', version: 1, layer: 'native', timeout: '30m', timeoutFrom: 'progress', attempts: 3, pool: 'packages',
  title: 'The packages of the operating system are installed',
  input: z.strictObject({ packages: z.array(PackageName) }),
  before: z.strictObject({ installed: z.array(z.string()), emptyFolders: z.array(z.string()).default([]), autoMarks: z.boolean().default(true) }), // names of all packages
  output: z.strictObject({ versions: z.record(z.string(), z.string()) }),
  async check({ host, input }) {
    const found = await host.packages.installed(input.packages);
    const missing = input.packages.filter((name) => (found[name] ?? null) === null);
    const versions = Object.fromEntries(Object.entries(found).flatMap(([name, version]) => (version === null ? [] : [[name, version]])));
    if (missing.length === 0) return { state: 'satisfied', output: { versions } };
    return { state: 'unsatisfied', reason: `not installed: ${missing.join(', ')}`, before: { installed: Object.keys(await host.packages.all()).sort(), emptyFolders: await emptyFolders(host), autoMarks: (await host.files.stat(autoMarks)) !== null } };
  },
  async apply({ host, input, before, progress, signal, log }) {
    const key = keyOf(input.packages);
    const was = await host.packages.all();
    const missing = input.packages.filter((name) => was[name] === undefined);
    log(`asking ${(await host.packages.manager()) ?? 'the package manager'} for ${missing.join(', ')}${missing.length < input.packages.length ? ` (there already: ${input.packages.filter((n) => was[n] !== undefined).join(', ')})` : ''}`);
    try {
      await host.packages.install(input.packages, { durable: 'install', progress: told(progress, log), signal });
    } finally {
      const all = await notes(host);
      await host.files.write(note, JSON.stringify({ ...all, [key]: [...new Set([...(all[key] ?? []), ...(await added(host, before.installed))])] }), { mode: 0o600 });
    }
    const now = Object.entries(await host.packages.all());
    const came = now.filter(([name]) => was[name] === undefined).map(([name, version]) => `${name} ${version}`).sort();
    log(`installed ${came.length} packages${came.length === 0 ? '' : ':'}`);
    for (let i = 0; i < came.length; i += aLine) log(`  ${came.slice(i, i + aLine).join(', ')}`);
    for (const [name, version] of now)
      if (was[name] !== undefined && was[name] !== version) log(`upgraded from ${was[name]} to ${version}, because one of them needs it, and not taken back later: ${name}`);
  },
  /** Purges precisely what came with us. What somebody else has come to need meanwhile stays, and the log says so. */
  async undo({ host, input, before, log, signal }) {
    const [all, key] = [await notes(host), keyOf(input.packages)];
    const there = new Set(before.installed);
    // by all notes, not that of this list alone: a later spec or another look at the machine asks for other packages than the first did
    const noted = [...new Set(Object.values(all).flat())].filter((name) => !there.has(name)).sort();
    const ours = Object.keys(all).length > 0 ? noted : await added(host, before.installed); // died before it could take note: nothing else came since
    if (ours.length > 0)
      await host.packages.remove(ours, { durable: 'purge', signal }).catch((error: unknown) => {
        if (!(error instanceof TaskError) || error.code !== 'package-needed') throw error;
        log(`left installed: ${error.message}`);
      });
    const left = Object.entries(all).map(([what, names]) => [what, names.filter((name) => there.has(name))] as const);
    await host.files.write(note, JSON.stringify({ ...Object.fromEntries(left), ...(left.length === 0 && { [key]: [] }) }), { mode: 0o600 });
    if (!before.autoMarks && (await host.files.read(autoMarks))?.trim() === '') await host.files.remove(autoMarks);
    for (const folder of before.emptyFolders) if ((await host.files.stat(folder)) === null) await host.files.mkdir(folder, { mode: 0o755 });
  },
}); // prettier-ignore
