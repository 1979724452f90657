import { PackageName } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import type { Host } from '../ports/host';
import { TaskError } from '../task-error';

/** Names that this task brought onto the machine, by what it was asked for: written when it is done. */
const note = '/var/lib/strata/notes/packages.json';
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

export const packagesInstall = defineTask({
  name: 'packages.install', version: 1, layer: 'native', timeout: '30m', timeoutFrom: 'progress', attempts: 3, pool: 'packages',
  title: 'The packages of the operating system are installed',
  input: z.strictObject({ packages: z.array(PackageName) }),
  before: z.strictObject({ installed: z.array(z.string()), emptyFolders: z.array(z.string()).default([]) }), // names of all packages
  output: z.strictObject({ versions: z.record(z.string(), z.string()) }),
  async check({ host, input }) {
    const found = await host.packages.installed(input.packages);
    const missing = input.packages.filter((name) => (found[name] ?? null) === null);
    const versions = Object.fromEntries(Object.entries(found).flatMap(([name, version]) => (version === null ? [] : [[name, version]])));
    if (missing.length === 0) return { state: 'satisfied', output: { versions } };
    return { state: 'unsatisfied', reason: `not installed: ${missing.join(', ')}`, before: { installed: Object.keys(await host.packages.all()).sort(), emptyFolders: await emptyFolders(host) } };
  },
  async apply({ host, input, before, progress, signal, log }) {
    const key = keyOf(input.packages);
    const was = await host.packages.all();
    try {
      await host.packages.install(input.packages, { durable: 'install', progress, signal });
    } finally {
      const all = await notes(host);
      await host.files.write(note, JSON.stringify({ ...all, [key]: [...new Set([...(all[key] ?? []), ...(await added(host, before.installed))])] }), { mode: 0o600 });
    }
    for (const [name, now] of Object.entries(await host.packages.all()))
      if (was[name] !== undefined && was[name] !== now) log(`upgraded from ${was[name]} to ${now}, because one of them needs it, and not taken back later: ${name}`);
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
    for (const folder of before.emptyFolders) if ((await host.files.stat(folder)) === null) await host.files.mkdir(folder, { mode: 0o755 });
  },
}); // prettier-ignore
