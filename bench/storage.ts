// node bench/storage.ts [--rounds N] [--pairs N] [--objects seaweedfs|minio] [--dir DIR] [--keep]: what the shared file system costs, beside LocalFS and its own object store.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { BenchLab, say } from './measure/bench-lab.ts';
import { loadNow } from './measure/cpu.ts';
import { newestRun } from './measure/ledger.ts';
import { median, quartiles } from './measure/ratio.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    pairs: { type: 'string', default: '2' },
    objects: { type: 'string', default: 'seaweedfs' },
    dir: { type: 'string', default: '/var/lib/strata-bench-storage' },
    name: { type: 'string', default: 'benchst' },
    keep: { type: 'boolean', default: false },
  },
});
const at = new BenchLab(values.dir, values.name);
const { dir, name, home, strata } = at;
const place = { local: '/var/lib/strata-bench', shared: '/strata/rootfs/common/bench' } as const;
const juicefs = '/opt/strata/storage/bin/juicefs';

const inNode = (who: string, script: string, ...args: string[]): Promise<string> => at.run(at.inNode(who, ['sh', '-c', script, 'sh', ...args]));

let isShared = false;
/** Makes the cluster, with the shared file system or without; gives the seconds from the request to the end of the run, which ends with the proof of the view. */
async function install(shared: boolean): Promise<number> {
  const spec = await at.spec();
  const file = join(dir, 'cluster.yaml');
  const more = `  storage: { kind: juicefs, objects: { kind: ${values.objects} } }\n  artifacts: { allowUnofficial: true }\n`;
  writeFileSync(file, shared ? `${spec.trimEnd()}\n${more}` : spec, { mode: 0o600 });
  await at.run([...strata, 'apply', '-f', file, '--yes']);
  isShared = shared;
  return (await newestRun(home)).total / 1000;
}
const remove = (): Promise<string> => at.run([...strata, 'uninstall', name, '--yes', ...(isShared ? ['--delete-data'] : [])]);

interface Row {
  what: string;
  rate: number;
  unit: string;
}
/** The rows of a table of JuiceFS' own benchmarks: `| Write big file | 965.98 MiB/s | 1.06 s/file |`. */
const rowsIn = (text: string): Row[] =>
  [...text.matchAll(/^\|\s*([A-Za-z][\w ]*?)\s*\|\s*([\d.]+) (\S+)\s*\|/gm)].map((m) => ({
    what: (m[1] ?? '').toLowerCase(),
    rate: Number(m[2]),
    unit: m[3] ?? '',
  }));
const files = async (path: string): Promise<Row[]> =>
  rowsIn(await inNode('n2', `mkdir -p "$1" && ${juicefs} --no-color bench "$1" -p 2 --big-file-size 256M --small-file-count 200`, path));
async function objects(): Promise<Row[]> {
  const keys = values.objects === 'minio'
    ? (await inNode('n1', 'cat /etc/strata/storage/minio/user')).trim().split('\n')
    : await seaweedKeys();
  const port = values.objects === 'minio' ? 9000 : 8333;
  const script = `read -r ACCESS_KEY; read -r SECRET_KEY; export ACCESS_KEY SECRET_KEY SSL_CERT_FILE=/etc/strata/storage/juicefs/ca.pem
    ${juicefs} --no-color objbench --storage s3 --skip-functional-tests -p 2 --big-object-size 256 --small-objects 200 "$1"`;
  const bucket = `https://objects.${name}.strata.internal:${port}/${name}-rootfs`;
  return rowsIn(await at.run(at.inNode('n2', ['sh', '-c', script, 'sh', bucket]), { input: `${keys.join('\n')}\n` }));
} // prettier-ignore
async function seaweedKeys(): Promise<string[]> {
  const { identities } = JSON.parse(await inNode('n1', 'cat /etc/strata/storage/objects/s3.json')) as { identities: { credentials: { accessKey: string; secretKey: string }[] }[] };
  const key = identities[0]?.credentials[0];
  return [key?.accessKey ?? '', key?.secretKey ?? ''];
} // prettier-ignore

/** What is compared: a row of the mount, with the row of the bucket that does the same work. */
const pairs: { what: string; file: string; object: string | null }[] = [
  { what: 'write one large file', file: 'write big file', object: 'upload objects' },
  { what: 'read it', file: 'read big file', object: 'download objects' },
  { what: 'write small files (128 KiB)', file: 'write small file', object: 'put small objects' },
  { what: 'read them', file: 'read small file', object: 'get small objects' },
  { what: 'look at a file (stat)', file: 'stat file', object: 'head objects' },
];
const kinds = ['local', 'shared', 'objects'] as const;
type Kind = (typeof kinds)[number];

async function main(): Promise<void> {
  await at.up(2, 27453);
  try {
    await install(true); // fills the caches
    const times: { without: number; with: number }[] = [];
    for (let i = 0; i < Number(values.pairs); i++) {
      const both = new Map<boolean, number>();
      for (const shared of i % 2 === 0 ? [false, true] : [true, false]) {
        await remove();
        both.set(shared, await install(shared));
      }
      times.push({ without: both.get(false) ?? NaN, with: both.get(true) ?? NaN });
      say(`install ${i + 1}: without ${times[i]?.without.toFixed(1)} s, with ${times[i]?.with.toFixed(1)} s; load ${loadNow()}`);
    }
    if (Number(values.pairs) % 2 === 0 && Number(values.pairs) > 0) {
      await remove();
      await install(true);
    }
    const seen = new Map<Kind, Row[][]>(kinds.map((k) => [k, []]));
    for (let i = 0; i < Number(values.rounds); i++) {
      for (const kind of i % 2 === 0 ? kinds : [...kinds].reverse()) seen.get(kind)?.push(kind === 'objects' ? await objects() : await files(place[kind]));
      say(`round ${i + 1} of ${values.rounds}; load ${loadNow()}`);
    }
    if (Number(values.rounds) > 0) for (const line of table(seen)) say(line);
    const more = times.map((t) => t.with - t.without);
    if (more.length > 0)
      say(`\nfrom apply to verified, with the shared file system: ${more.map((m) => `${m.toFixed(1)} s`).join(', ')} longer than without (limit 15 s)`);
  } finally {
    if (!values.keep) await at.down();
  }
}
function table(seen: ReadonlyMap<Kind, Row[][]>): string[] {
  const rates = (kind: Kind, what: string): number[] => (seen.get(kind) ?? []).map((rows) => rows.find((r) => r.what === what)?.rate ?? NaN);
  const cell = (kind: Kind, what: string | null): string => {
    if (what === null) return '';
    const unit = seen.get(kind)?.[0]?.find((r) => r.what === what)?.unit ?? '';
    return `${median(rates(kind, what)).toFixed(0)} ${unit}`;
  };
  const ratio = (what: string, kind: Kind, other: string): string => {
    const others = rates(kind, other);
    const [low, mid, high] = quartiles(rates('shared', what).map((r, i) => r / (others[i] ?? NaN)));
    return `${mid.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  };
  return [
    '| | LocalFS | its object store | JuiceFS | JuiceFS / LocalFS | JuiceFS / object store |',
    '| --- | --- | --- | --- | --- | --- |',
    ...pairs.map(({ what, file, object }) => `| ${what} | ${cell('local', file)} | ${cell('objects', object)} | ${cell('shared', file)} | ${ratio(file, 'local', file)} | ${object === null ? '' : ratio(file, 'objects', object)} |`), // prettier-ignore
  ];
}
await main();
