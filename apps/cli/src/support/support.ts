import { existsSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ApiClient, ApiError, connectTo, ConnectionError, UnexpectedAnswer } from '@strata/api-client';
import { type Evidence, EvidenceSet } from '@strata/model';
import { CliError, describe, usage } from '../cli-error';
import { isLocal } from '../commands/apply';
import type { Cli, ContextFlags } from '../commands/cli';
import { resolveContext, type ServerContext } from '../context/context';
import { look } from '../doctor/programs';
import { homeOf } from '../host/server-home';
import { version } from '../version';
import { tarGz } from './archive';

export interface SupportFlags extends ContextFlags {
  output?: string;
  home?: string;
  node?: string[];
}
interface Gathered {
  place: string; // a folder of the archive
  set: EvidenceSet;
}
interface Missing {
  what: string;
  why: string;
}
const requestMs = 100_000;
const readme = `Made by \`strata support\` for whoever is to help. Secrets that Strata knows were taken out wherever they stood ("[redacted]"), and so was whatever
looked like one; still, look through it before you give it away. manifest.json says what is here, from where, and what is missing and why.
`;

/** One archive of what the control host and all nodes that can be reached tell. What cannot be had is named in it, and not waited for. */
export async function support(cli: Cli, flags: SupportFlags): Promise<void> {
  const at = new Date(cli.now()).toISOString();
  const name = `strata-support-${at.slice(0, 19).replaceAll(':', '-')}`;
  const file = resolve(flags.output ?? `${name}.tar.gz`);
  if (existsSync(file)) throw usage(`${file} is there already`, 'name another with -o FILE');
  const missing: Missing[] = [];
  const gathered = await gather(cli, flags, { missing });
  const files = gathered.flatMap(({ place, set }) => set.evidence.flatMap((e) => (e.text === undefined ? [] : [{ path: `${name}/${place}/${e.path}`, text: e.text }])));
  const manifest = { made: at, strata: version, places: gathered.map(placeOf), missing: [...missing, ...gathered.flatMap(({ place, set }) => set.evidence.flatMap((e) => lackOf(place, e)))] };
  const bytes = tarGz([{ path: `${name}/README.txt`, text: readme }, { path: `${name}/manifest.json`, text: `${JSON.stringify(manifest, null, 1)}\n` }, ...files]);
  writeFileSync(file, bytes, { mode: 0o600, flag: 'wx' });
  cli.terminal.out(`${file}: ${files.length} files of ${gathered.map((g) => g.place).join(', ')}; ${(bytes.length / 1e6).toFixed(1)} MB, readable by you alone`);
  for (const m of manifest.missing.filter((x) => !x.what.includes('/', x.what.startsWith('nodes/') ? 'nodes/'.length : 0))) cli.terminal.out(`  missing: ${m.what}: ${m.why}`);
  cli.terminal.out('  look through it before you give it away: what Strata knows as a secret was taken out, what others put into logs it may not know');
} // prettier-ignore

const placeOf = ({ place, set }: Gathered): object => ({
  ...{ place, scrubbed: set.scrubbed },
  files: set.evidence.flatMap((e) => (e.text === undefined ? [] : [{ path: e.path, characters: e.text.length, ...(e.cut ? { cut: 'only its newest part' } : {}) }])),
}); // prettier-ignore
const lackOf = (place: string, e: Evidence): Missing[] =>
  e.missing === undefined ? [] : [{ what: e.path === 'all' ? place : `${place}/${e.path}`, why: e.missing }];

async function gather(cli: Cli, flags: SupportFlags, into: { missing: Missing[] }): Promise<Gathered[]> {
  let context: ServerContext | null = null;
  try {
    context = resolveContext(flags, cli.env);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
  }
  const home = resolve(flags.home ?? context?.home ?? homeOf(undefined, cli.env));
  const client = context && new ApiClient(await connectTo(context), { token: context.token, timeoutMs: requestMs, patienceMs: 500 });
  try {
    const [own, nodes] = await Promise.all([controlHost(client, { home, local: (context === null || isLocal(context.url)) && existsSync(home) }, into), client ? ofNodes(client, flags, into) : Promise.resolve([])]);
    if (!client) into.missing.push({ what: 'nodes', why: 'no control server is known that could ask them' });
    return [...own, ...nodes];
  } finally {
    client?.close();
  }
} // prettier-ignore

/** By the server, which also knows its ledger; from the files of this host where it does not answer. */
async function controlHost(client: ApiClient | null, at: { home: string; local: boolean }, into: { missing: Missing[] }): Promise<Gathered[]> {
  try {
    if (client) return [{ place: 'control-host', set: await client.gatherControlHost() }];
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) throw error;
    into.missing.push({ what: 'control-host/runs', why: `ledger, plans and step logs: the server was asked and ${words(error)}` });
  }
  if (at.local) return [{ place: 'control-host', set: EvidenceSet.parse(await look(['support', '--home', at.home])) }];
  into.missing.push({ what: 'control-host', why: `${at.home} is not on this host, and no server answered` });
  return [];
}
async function ofNodes(client: ApiClient, flags: SupportFlags, into: { missing: Missing[] }): Promise<Gathered[]> {
  try {
    const clusters = await client.clusters();
    const all = (await Promise.all(clusters.map((c) => client.nodes(c.id)))).flat().filter((n) => flags.node === undefined || flags.node.includes(n.name));
    for (const name of flags.node ?? []) if (!all.some((n) => n.name === name)) into.missing.push({ what: `nodes/${name}`, why: 'there is no such node' });
    const asked = all.map(async (n): Promise<Gathered[]> => {
      const cluster = clusters.length > 1 ? `${clusters.find((c) => c.id === n.clusterId)?.name ?? n.clusterId}.` : '';
      const place = `nodes/${cluster}${n.name}`;
      try {
        return [{ place, set: await client.gatherNode(n.clusterId, n.name) }];
      } catch (error) {
        into.missing.push({ what: place, why: describe(error).message });
        return [];
      }
    });
    return (await Promise.all(asked)).flat();
  } catch (error) {
    if (!(error instanceof ConnectionError || error instanceof UnexpectedAnswer || error instanceof ApiError)) throw error;
    into.missing.push({ what: 'nodes', why: `the server was asked and ${words(error)}` });
    return [];
  }
} // prettier-ignore
const words = (error: unknown): string => `it did not answer: ${describe(error).message}`;
