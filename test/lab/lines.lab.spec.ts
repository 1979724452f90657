import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LedgerEvent } from './support/api';
import { newRun, outcomes, planned, ready } from './support/cluster';
import { until } from './support/program';
import { RunWatch } from './support/run-watch';
import { World } from './support/world';

/**
 * Lines that are slow, lossy, stalled or cut, and a server that moves. n2 is at 1 Mbit/s, n3 loses 5 % of its frames each way; all three are bare.
 * `npm test` looks at n2 for half a minute of each kind of transfer and then lets it go faster; `npm run test:faults` leaves it at 1 Mbit/s to the end.
 */
const all = process.env.STRATA_FAULTS === 'all';
const long = all ? 150 * 60_000 : 25 * 60_000;
const lookMs = 30_000;
const [slow, lossy] = ['n2', 'n3'];
let world: World;
let watch: RunWatch;
let heard: Promise<void>;
const memory = new Map<string, number[]>(); // MB by process
const figures: string[] = [];

beforeAll(async () => {
  world = await World.make({ nodes: 3, base: 'bare' });
  await world.lab.act('slow', slow, ['--rate', '1mbit']);
  await world.lab.act('slow', lossy, ['--loss', '5']);
  await world.server.strata(['apply', '-f', await world.specFile(), '--yes', '--detach'], { timeoutMs: long });
  watch = new RunWatch(world, (await newRun(world, [], 180_000)).id);
  heard = watch.hearAll(all ? 600_000 : 300_000);
  heard.catch(() => undefined); // told where it is awaited
}, long);
afterAll(async () => {
  watch?.stop();
  process.stdout.write(`\n${figures.map((f) => `    ${f}`).join('\n')}\n`);
  await world?.dispose();
}, 300_000);

const notesOf = (step: string): string[] => watch.events.flatMap((e) => (e.kind === 'OrderProgressed' && e.step === step ? [String(e.body.note)] : []));
const bytesIn = (note: string): number => {
  const [, n = '0', unit = 'B'] = /: ([\d.]+) (B|kB|MB|GB) of /.exec(note) ?? [];
  return Number(n) * { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit as 'B'];
};
const rateIn = (note: string): number => {
  const [, n = '0', unit = 'B'] = /, ([\d.]+) (B|kB|MB|GB)\/s/.exec(note) ?? [];
  return Number(n) * { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 }[unit as 'B'];
};
const isHonest = (note: string): boolean => /^[\w ,.-]+: [\d.]+ \w?B of [\d.]+ \w?B, [\d.]+ \w?B\/s(, about \d+ (s|min|h \d+ min) left)?$/.test(note);
const failed = (events: readonly LedgerEvent[]): string[] =>
  events.flatMap((e) => (e.kind === 'OrderSettled' && !['changed', 'satisfied'].includes(String(e.body.outcome)) ? [`${e.step ?? ''}: ${JSON.stringify(e.body.result)}`] : [])); // prettier-ignore
const begun = (step: string): Promise<LedgerEvent> => watch.first(`${step} to begin`, long, (e) => e.kind === 'OrderStarted' && e.step === step);
const firstNote = (step: string, says: RegExp): Promise<LedgerEvent> =>
  watch.first(`${step} to say ${String(says)}`, long, (e) => e.kind === 'OrderProgressed' && e.step === step && says.test(String(e.body.note)));

function keepMemory(of: string, status: string): void {
  const kb = Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1] ?? NaN);
  memory.set(of, [...(memory.get(of) ?? []), kb / 1e3]);
}
const agentPid = async (node: string): Promise<string> => (await world.lab.must(node, ['systemctl', 'show', '-P', 'MainPID', 'stratad.service'])).trim();
/** Looks for a while at what server and agent keep in memory. */
async function sample(ms: number, node?: string): Promise<void> {
  for (const end = performance.now() + ms; performance.now() < end; await sleep(3_000)) {
    keepMemory('server', readFileSync(`/proc/${world.server.status()?.parts.server.pid ?? 0}/status`, 'utf8'));
    if (node) keepMemory(`agent of ${node}`, await world.lab.must(node, ['cat', `/proc/${await agentPid(node)}/status`]));
  }
}
/** How much more a process held at the most than at the first look. */
function growth(of: string): number {
  const seen = memory.get(of) ?? [];
  figures.push(`${of}: ${seen[0]?.toFixed(0) ?? ''} MB at first, ${Math.max(...seen).toFixed(0)} MB at most, in ${seen.length} looks`);
  return Math.max(...seen) - (seen[0] ?? NaN);
}

test('the agent goes to the slow machine packed, with honest words, and nothing times out', async () => {
  const step = `${slow}/agent.install`;
  await firstNote(step, /^sending the agent, packed: .*\/s/);
  await sample(lookMs);
  const notes = notesOf(step).filter((n) => n.startsWith('sending') && n.includes('/s'));
  figures.push(`agent at 1 Mbit/s: ${notes.at(-1) ?? ''}`);
  expect(notes.filter((n) => !isHonest(n))).toEqual([]);
  const amounts = notes.map(bytesIn);
  expect(amounts).toEqual([...amounts].sort((a, b) => a - b));
  expect((amounts.at(-1) ?? 0) - (amounts[0] ?? 0)).toBeGreaterThan(1e6); // 125 kB a second at the most
  expect(failed(watch.events)).toEqual([]);
  expect(growth('server')).toBeLessThan(64);
  if (!all) await world.lab.act('slow', slow, ['--rate', '12mbit']);
}, long); // prettier-ignore

test('artifacts go to it with honest words; server and agent keep none of it in memory', async () => {
  const step = `${slow}/artifacts.fetch@runtime`;
  await begun(step);
  await world.lab.act('slow', slow, ['--rate', '1mbit']);
  memory.clear();
  await sample(lookMs, slow);
  const notes = notesOf(step).filter((n) => /^fetching .*\/s/.test(n));
  figures.push(`artifacts at 1 Mbit/s, beside apt: ${notes.at(-1) ?? ''}`);
  expect(notes.filter((n) => !isHonest(n))).toEqual([]);
  expect(growth(`agent of ${slow}`)).toBeLessThan(40);
  expect(growth('server')).toBeLessThan(64);
}, long); // prettier-ignore

test('what it fetches comes packed, and an agent that is killed near the end of a download goes on from that byte', async () => {
  if (!all) await world.lab.act('slow', slow, ['--rate', '12mbit']);
  const since = Date.now();
  const most = (all ? 1e6 : 12e6) / 8;
  const packed = await watch.first('more to come than the line carries, packed', long, (e) => e.node === slow && e.at > since && rateIn(String(e.body.note)) > most * 1.1);
  figures.push(`packed: ${String(packed.body.note)}`);
  const blob = await missing(slow, ['kubelet', 'kubeadm', 'kubectl']);
  const place = `/var/lib/strata/artifacts/blobs/${blob.sha256}`;
  const least = Math.floor(blob.size * 0.97);
  const arrived = `until [ "$(stat -c %s "$1.part" 2>/dev/null || echo 0)" -ge "$2" ]; do [ -e "$1" ] && exit 9; sleep 0.05; done`;
  await world.lab.must(slow, ['sh', '-c', arrived, 'sh', place, String(Math.floor(blob.size * 0.3))], { timeoutMs: long });
  await world.lab.act('slow', slow, ['--rate', all ? '1mbit' : '2mbit']); // so that the end can be seen coming, also by a busy machine
  const script = `${arrived}
    systemctl kill -s KILL stratad.service; at=$(stat -c %s "$1.part"); least=$at
    until [ -e "$1" ]; do now=$(stat -c %s "$1.part" 2>/dev/null || echo "$least"); [ "$now" -lt "$least" ] && least=$now; sleep 0.05; done
    echo "$at $least"; sha256sum < "$1"`;
  const ran = await world.lab.must(slow, ['sh', '-c', script, 'sh', place, String(least)], { timeoutMs: long });
  const [at = 0, lowest = 0] = (ran.split('\n')[0] ?? '').split(' ').map(Number);
  figures.push(`killed at ${at} of ${blob.size} bytes (${((at / blob.size) * 100).toFixed(1)} %); never less than ${lowest} were there afterwards`);
  expect(at).toBeGreaterThanOrEqual(least);
  expect(lowest).toBe(at);
  expect(ran.split('\n')[1]).toContain(blob.sha256);
}, long); // prettier-ignore

test('a line that stalls is named, and gone on with when it gives again', async () => {
  const step = `${slow}/artifacts.fetch@runtime`;
  const ports = world.server.ports;
  if (!all) await world.lab.act('slow', slow, ['--rate', '8mbit']);
  await watch.first('nft to be there', long, (e) => e.kind === 'OrderSettled' && e.step === `${slow}/packages.install`);
  const open = notesOf(step).length > 0 && !watch.settled(step) ? step : await stillFetching();
  const table = `table inet stall { chain out { type filter hook output priority 0; tcp dport ${ports.artifact} drop; }; chain in { type filter hook input priority 0; tcp sport ${ports.artifact} drop; }; }`;
  await world.lab.must(slow, ['nft', table]);
  const said = await firstNote(open, /does not come/).finally(() => world.lab.must(slow, ['nft', 'delete', 'table', 'inet', 'stall']));
  figures.push(`stalled: ${String(said.body.note)}`);
  expect(String(said.body.note)).toMatch(/does not come \(https:\/\/[\d.:]+: .+\), asking again: /); // no byte, no answer, no connection, or what TCP says first
  const had = bytesIn(String(said.body.note));
  const on = await watch.first('bytes to come again', long, (e) => e.seq > said.seq && e.step === open && e.kind === 'OrderProgressed' && bytesIn(String(e.body.note)) > had);
  expect(on.body.attempt).toBe(said.body.attempt); // no attempt was spent
}, long); // prettier-ignore

test('the whole install ends, also over the line that loses 5 %, and no step failed once', async () => {
  await heard;
  expect(failed(watch.events)).toEqual([]);
  const ended = outcomes(watch.events);
  expect(planned(watch.events).filter((s) => !['changed', 'satisfied'].includes(ended.get(s.key) ?? '')).map((s) => s.key)).toEqual([]);
  expect(await ready(world)).toEqual({ n1: true, n2: true, n3: true });
  const [first, last] = [watch.events[0]?.at ?? 0, watch.events.at(-1)?.at ?? 0];
  const of = (node: string): number => Math.max(...watch.events.filter((e) => e.node === node && e.kind === 'OrderSettled').map((e) => e.at)) - first;
  figures.push(`whole install: ${Math.round((last - first) / 1000)} s; n3 at 5 % loss: ${Math.round(of(lossy) / 1000)} s`);
}, long); // prettier-ignore

test('a server that moves to another address is found there: agents learn all of its addresses, and keep them', async () => {
  const { address, family } = Object.entries(networkInterfaces()).flatMap(([name, list]) => (name === 'lo' || /lab|br|veth|docker|cni|flannel/.test(name) ? [] : (list ?? []))).find((a) => a.family === 'IPv4') ?? {};
  if (address === undefined) throw new Error(`this machine has no second address for the server (${family ?? 'none'})`);
  await world.lab.act('heal', lossy);
  const agents = (host: string): string => `${host}:${world.server.ports.agent}`;
  const config = (): Promise<string> => world.lab.must(lossy, ['cat', '/etc/strata/agent.yaml']);
  const bridge = world.lab.hostAddress;
  // as if it had joined when the server was at another address only
  const forget = String.raw`/^sessionAddresses:/,/^[a-z]*Addresses: *$|^orderKeys:/{/^ *- .*BRIDGE/d}; /^artifactAddresses:/,/^orderKeys:/{/^ *- .*BRIDGE/d}`.replaceAll('BRIDGE', bridge.replaceAll('.', '\\.'));
  await world.lab.must(lossy, ['sed', '-i', '-E', forget, '/etc/strata/agent.yaml']);
  expect(await config()).not.toContain(bridge);
  expect(await config()).toContain(agents(address));
  await world.lab.must(lossy, ['systemctl', 'restart', 'stratad']);
  await until('the agent to be told where else the server is', 60_000, async () => (await config()).includes(agents(bridge)));
  await world.lab.must(lossy, ['ip', 'route', 'add', 'unreachable', `${address}/32`]); // the server has left
  const left = Date.now();
  await world.lab.must(lossy, ['ss', '-K', 'dst', address]);
  await until('the agent to be back by the other address', 120_000, async () => {
    const node = (await world.server.api.must<{ name: string; online: boolean; lastSeenAt: string | null }[]>('GET', `/v1/clusters/${world.cluster}/nodes`)).find((n) => n.name === lossy);
    return node?.online === true && Date.parse(node.lastSeenAt ?? '') > left && /ESTAB/.test(await world.lab.must(lossy, ['ss', '-Htn', 'dst', agents(bridge)]));
  });
  figures.push(`found at its other address ${Math.round((Date.now() - left) / 1000)} s after it left`);
}, long); // prettier-ignore

/** The next fetch of the slow node that is under way. */
async function stillFetching(): Promise<string> {
  const e = await watch.first('another fetch to be under way', long, (x) => x.kind === 'OrderProgressed' && (x.step?.startsWith(`${slow}/artifacts.fetch`) ?? false) && !watch.settled(x.step ?? ''));
  return e.step ?? '';
} // prettier-ignore
/** The largest blob of some artifacts that a node is still to get. */
async function missing(node: string, names: readonly string[]): Promise<{ sha256: string; size: number }> {
  type Blob = { sha256: string; size: number };
  const there = await world.lab.must(node, ['ls', '/var/lib/strata/artifacts/blobs']);
  const all = watch.events.flatMap((e) => {
    if (e.kind !== 'OrderSettled' || !names.some((n) => e.step === `cluster/artifact.obtain@${n}`)) return [];
    const { artifact } = (e.body.result as { output: { artifact: { blob?: Blob; blobs?: Blob[] } } }).output;
    return artifact.blobs ?? (artifact.blob ? [artifact.blob] : []);
  });
  const [largest] = all.filter((b) => !new RegExp(`^${b.sha256}(\\.part)?$`, 'm').test(there)).sort((a, b) => b.size - a.size);
  if (!largest || largest.size < 20e6) throw new Error(`${node} has all that is large already`);
  return largest;
}
