import { newestRun, newRun, runs } from './support/cluster';
import { until } from './support/program';
import { RunWatch } from './support/run-watch';
import { withShared } from './support/shared-spec';
import { World } from './support/world';

/**
 * Metadata that go back under clients: by a restore, by a log that was cut, by an older copy of the files. Two nodes write all the time, and each notes on
 * its own disk, outside of everything, what was acknowledged and its sha256.
 */
const long = 15 * 60_000;
const nodes = ['n1', 'n2'];
const path = '/strata/rootfs';
const dumps = '/var/lib/strata-metadata-dumps';
let world: World;
let spec: string;

const inNode = (node: string, argv: readonly string[], timeoutMs = 60_000): Promise<string> => world.lab.must(node, argv, { timeoutMs });
const sh = (node: string, script: string, timeoutMs = 60_000): Promise<string> => inNode(node, ['sh', '-c', script], timeoutMs);

/** Writes a file of its own content after the other, with its name in it, flushed, for as long as it may; a name is never used twice. */
const writer = `#!/bin/sh
mkdir -p /root/written
exec 9>/root/written/lock && flock -w 20 9 || exit 1 # two of them would give out the same names
n=$(cat /root/written/next 2>/dev/null || echo 0)
while :; do
  n=$((n + 1)); echo $n >/root/written/next.new && mv /root/written/next.new /root/written/next # whole or not at all: a kill in the midst of it would begin with 1 again
  { echo "$(hostname) $n"; head -c 20000 /dev/urandom; } >/root/written/now
  mkdir -p ${path}/common/$(hostname) && cp /root/written/now ${path}/common/$(hostname)/$n && sync ${path}/common/$(hostname)/$n || { sleep 0.2; continue; }
  sum=$(sha256sum </root/written/now | cut -c1-64)
  [ \${#sum} = 64 ] || exit 1 # the kill came to sha256sum first
  echo "$n $sum $(date +%s.%N) $$" >>/root/written/acknowledged
  sleep 0.05
done
`;
async function startWriters(): Promise<void> {
  for (const node of nodes) {
    await world.lab.must(node, ['sh', '-c', 'cat >/root/writer && chmod +x /root/writer'], { input: writer });
    await inNode(node, ['systemd-run', '--unit=fence-writer', '--collect', '/root/writer']);
  }
}
const stopWriters = async (): Promise<void> => {
  for (const node of nodes) await world.lab.exec(node, ['systemctl', 'kill', '-s', 'KILL', 'fence-writer'], { timeoutMs: 30_000 });
};
/**
 * When a machine went back as a whole, and until when its tree was written into by the old counters: two clients may have got the same numbers there, which is
 * what docs/storage.md says of it. What was acknowledged within is not held against the fence; all else is.
 */
const unguarded = { from: Infinity, until: 0 };
async function acknowledged(node: string): Promise<Map<string, string>> {
  const text = await sh(node, 'cat /root/written/acknowledged 2>/dev/null || true');
  const lines = text.split('\n').filter(Boolean).map((line) => line.split(' ')); // prettier-ignore
  const twice = lines.filter(([name], i) => lines.findIndex(([other]) => other === name) < i);
  expect(twice).toEqual([]); // or this witness knows nothing
  const guarded = lines.filter(([, , at]) => Number(at) < unguarded.from || Number(at) > unguarded.until);
  return new Map(guarded.map(([name = '', sha = '']) => [name, sha]));
}
/** Every file that a node sees of another's, by name. */
async function sums(reader: string, of: string): Promise<Map<string, string>> {
  const text = await sh(reader, `cd ${path}/common/${of} && sha256sum -- * | sed 's/^\\\\\\\\//'`, 240_000);
  return new Map(text.split('\n').filter(Boolean).map((line) => [line.slice(66), line.slice(0, 64)] as [string, string])); // prettier-ignore
}
/** A file of which the metadata that are left know that it was made, and nothing of its bytes: it is lost, and nobody's bytes are in it. */
const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
/** Each file's size, first line (whose it is), and how much of it are zeros. */
const whatIsIn = (reader: string, of: string, names: readonly string[]): Promise<string> =>
  sh(reader, `cd ${path}/common/${of} && for f in ${names.join(' ')}; do echo "$f: $(stat -c '%s bytes, inode %i, %y' $f), begins '$(head -c 12 $f | tr -d '\\0' | head -1)', $(tr -d '\\0' <$f | wc -c) bytes that are not zero"; done`, 120_000); // prettier-ignore

/** No file may have other bytes than were acknowledged, on any node. Gives how many acknowledged ones are there, and how many are not. */
async function checked(): Promise<{ there: number; gone: number; of: Map<string, Set<string>> }> {
  let [there, gone] = [0, 0];
  const found = new Map<string, Set<string>>();
  for (const of of nodes) {
    const wrote = await acknowledged(of);
    for (const reader of nodes) {
      const seen = await sums(reader, of);
      const wrong = [...wrote].filter(([name, sha]) => ![sha, empty, undefined].includes(seen.get(name))).map(([name]) => name);
      if (wrong.length > 0) throw new Error(`${reader} sees wrong files of ${of}:\n${await whatIsIn(reader, of, wrong)}`);
      found.set(of, new Set([...seen].filter(([, sha]) => sha !== empty).map(([name]) => name)));
    }
    const has = [...wrote.keys()].filter((name) => found.get(of)?.has(name) === true);
    [there, gone] = [there + has.length, gone + wrote.size - has.length];
  }
  return { there, gone, of: found };
}
const moreWritten = async (by: number): Promise<void> => {
  for (const node of nodes) {
    const before = (await acknowledged(node)).size;
    await until(`${node} to have ${by} more files acknowledged`, 90_000, async () => ((await acknowledged(node)).size >= before + by ? true : null));
  }
};
async function restore(from: string): Promise<string> {
  const ran = await world.server.strata(['storage', 'restore', '--from', from, '--yes'], { timeoutMs: long });
  expect([ran.code, ran.code === 0 ? '' : ran.stdout.slice(-4_000) + ran.stderr]).toEqual([0, '']);
  expect((await newestRun(world)).result).toBe('done');
  return ran.stdout;
}
const bound = async (): Promise<string[]> =>
  (await sh('n1', 'ss -Hlnt')).split('\n').map((l) => l.trim().split(/\s+/)[3] ?? '').filter((at) => at.endsWith(':6390')).sort(); // prettier-ignore
const open = (): string[] => ['127.0.0.1:6390', `${world.lab.node('n1').address}:6390`].sort();

async function secretKey(): Promise<string> {
  const keys = JSON.parse(await inNode('n1', ['cat', '/etc/strata/storage/objects/s3.json'])) as { identities: { credentials: { secretKey: string }[] }[] };
  const secret = keys.identities[0]?.credentials[0]?.secretKey ?? '';
  expect(secret).toHaveLength(40);
  return secret;
}

beforeAll(async () => {
  world = await World.make({ nodes: 2, base: 'ready' });
  spec = await world.specFile({}, (text) => withShared(text));
  await world.server.must(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  await startWriters();
}, long);
afterAll(() => world?.dispose(), 300_000);

test('a dump is taken by a timer, and no dump has the key of the bucket', async () => {
  expect(await bound()).toEqual(open());
  await moreWritten(20);
  await inNode('n1', ['systemctl', 'start', 'strata-metadata-dump.service']);
  expect((await sh('n1', `ls ${dumps}`)).trim().split('\n')).toEqual(['dump-1.json.gz', 'dump-2.json.gz']);
  expect((await sh('n1', `stat -c %a ${dumps} ${dumps}/*`)).trim().split('\n')).toEqual(['700', '600', '600']);
  const secret = await secretKey();
  const text = await sh('n1', `zcat ${dumps}/dump-1.json.gz`);
  expect(text).toMatch(/"SecretKey": "removed"/);
  expect(text).not.toContain(secret);
  expect(await sh('n1', 'systemctl is-active strata-metadata-dump.timer')).toBe('active\n');
}, long); // prettier-ignore

test('restored under two nodes that write: what the dump has is there, whatever came later is stated as lost, and no file has others\' bytes', async () => {
  const dumped = new Map<string, Set<string>>();
  for (const node of nodes) dumped.set(node, new Set((await acknowledged(node)).keys()));
  await inNode('n1', ['systemctl', 'start', 'strata-metadata-dump.service']); // under their writes
  await moreWritten(30);
  const said = await restore('latest');
  expect(said).toMatch(/the metadata are those of the dump `latest`: \d+ files and folders before the restore, \d+ now; [1-9]\d* blocks \(\d+ bytes\) in the bucket belong to no file any more; 0 blocks that files need are not in the bucket\. What was written after that point is lost/);
  await moreWritten(30);
  await stopWriters();
  const { there, gone, of } = await checked();
  for (const node of nodes) expect([...(dumped.get(node) ?? [])].filter((name) => of.get(node)?.has(name) !== true)).toEqual([]);
  expect(gone).toBeGreaterThanOrEqual(50);
  expect(there).toBeGreaterThanOrEqual(60);
  expect(await bound()).toEqual(open());
  // the key that was put into the restored metadata stays in them
  await inNode('n1', ['systemctl', 'start', 'strata-metadata-dump.service']);
  const [secret, texts] = [await secretKey(), await sh('n1', `zcat ${dumps}/dump-1.json.gz ${dumps}/before-restore.json.gz; cat ${path}/.config; journalctl --no-pager -o export --all`, 120_000)];
  expect(texts).toMatch(/"SecretKey": "removed"/);
  expect(texts.includes(secret)).toBe(false);
  await startWriters();
}, long); // prettier-ignore

test('a log that was cut lets nobody in, says so, and is mended by a fenced run that keeps the rest', async () => {
  await moreWritten(20);
  const cut = `cd /var/lib/strata-metadata/appendonlydir && f=$(ls -t *.incr.aof | head -1) && truncate -s -30000 $f`;
  await sh('n1', `systemctl stop strata-metadata && ${cut} && systemctl start strata-metadata`, 120_000);
  expect(await bound()).toEqual(['127.0.0.1:6390']);
  await sh('n1', 'systemctl kill -s KILL strata-metadata; sleep 3; systemctl restart strata-metadata', 120_000);
  expect(await bound()).toEqual(['127.0.0.1:6390']);
  expect(await inNode('n1', ['journalctl', '--no-pager', '-u', 'strata-metadata'])).toMatch(/closed: its files are not what they were when it stopped/);
  const refused = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect(refused.code).not.toBe(0);
  expect(refused.stdout + refused.stderr).toMatch(/the metadata let nobody in: its files are not what they were[^]*strata storage restore --from current/);
  const said = await restore('current');
  expect(said).toMatch(/the metadata are kept as they were found \(its files are not what they were when it stopped\)/);
  expect(said).toMatch(/[1-9]\d* blocks \(\d+ bytes\) in the bucket belong to no file any more[^]*is lost/);
  await moreWritten(30);
  await stopWriters();
  await checked();
  expect(await bound()).toEqual(open());
}, long); // prettier-ignore

test('an older copy of its files, put there while nobody looked, is known by its counters', async () => {
  const data = '/var/lib/strata-metadata/appendonlydir';
  await sh('n1', `systemctl stop strata-metadata && cp -a ${data} /root/older && systemctl start strata-metadata`, 120_000);
  await startWriters();
  await moreWritten(20);
  await stopWriters();
  // as after a power cut and a disk that was put back: no note of how it stopped
  await sh('n1', `systemctl stop strata-metadata && rm -rf ${data} && cp -a /root/older ${data} && rm -f /var/lib/strata-metadata-mark/stopped && systemctl start strata-metadata`, 120_000);
  expect(await bound()).toEqual(['127.0.0.1:6390']);
  expect(await inNode('n1', ['journalctl', '--no-pager', '-u', 'strata-metadata'])).toMatch(/closed: its counters .* went back from/);
  await restore('current');
  await startWriters();
  await moreWritten(20);
  await stopWriters();
  await checked();
}, long); // prettier-ignore

test('the machine of the metadata goes back as a whole, with what it noted itself: the other node leaves by itself', async () => {
  const [data, mark, older] = ['/var/lib/strata-metadata/appendonlydir', '/var/lib/strata-metadata-mark', '/root/older-machine'];
  await sh('n1', `systemctl stop strata-metadata && mkdir ${older} && cp -a ${data} ${mark} ${older} && systemctl start strata-metadata`, 120_000);
  const noted = async (): Promise<number> => Number(await sh('n2', 'cat /etc/strata/storage/juicefs/beat'));
  const then = await noted();
  await startWriters();
  await moreWritten(20);
  await until('the node to have noted more than is in the older copy', 60_000, async () => (await noted()) > then + 1 || null);
  unguarded.from = Date.now() / 1000;
  await sh('n1', `systemctl stop strata-metadata && rm -rf ${data} ${mark} && cp -a ${older}/appendonlydir ${data} && cp -a ${older}/strata-metadata-mark ${mark} && systemctl start strata-metadata`, 120_000);
  expect(await bound()).toEqual(open()); // it cannot know
  await until('n2 to have left', 60_000, async () => ((await world.lab.exec('n2', ['mountpoint', '-q', path])).code !== 0 ? true : null));
  const refused = await world.server.strata(['apply', '-f', spec, '--yes'], { timeoutMs: long });
  expect([refused.code, refused.stdout + refused.stderr]).toEqual([expect.any(Number), expect.stringMatching(/n2[^]*the tree went back from \d+ to \d+ as this node counts[^]*strata storage restore --from current/)]);
  await restore('current');
  unguarded.until = Date.now() / 1000;
  await moreWritten(20);
  await stopWriters();
  await checked();
}, long); // prettier-ignore

test('a fenced run whose agents and server are killed goes on to its end', async () => {
  await startWriters();
  await moreWritten(10);
  const known = (await runs(world)).map((r) => r.id);
  await world.server.must(['storage', 'restore', '--from', 'current', '--yes', '--detach'], { timeoutMs: long });
  const watch = new RunWatch(world, (await newRun(world, known)).id);
  const heard = watch.hearAll();
  const kills = [watch.killAtStart('n2/storage.leave'), watch.killAtStart('n1/storage.load'), watch.begins('n2/juicefs.mount').then(() => world.server.kill('server'))]; // prettier-ignore
  await Promise.all(kills);
  await heard;
  expect((await newestRun(world)).result).toBe('done');
  await moreWritten(20);
  await stopWriters();
  expect(await bound()).toEqual(open());
  await checked();
}, long); // prettier-ignore

test('nothing begins while a node is away, and a dump that is not there is refused before anything stops', async () => {
  const none = await world.server.strata(['storage', 'restore', '--from', 'none.json.gz', '--yes'], { timeoutMs: long });
  expect(none.code).not.toBe(0);
  expect(none.stdout + none.stderr).toMatch(/the metadata's node has no [^ ]*none\.json\.gz[^]*dump-1\.json\.gz/);
  expect(await bound()).toEqual(open());
  await world.lab.act('off', 'n2');
  const away = await world.server.strata(['storage', 'restore', '--from', 'latest', '--yes'], { timeoutMs: long });
  expect(away.code).not.toBe(0);
  expect(away.stdout + away.stderr).toMatch(/n2 cannot be reached[^]*strata node remove n2 --force/);
  expect(await bound()).toEqual(open());
}, long); // prettier-ignore
