import type { Change } from '@strata/model';
import { z } from 'zod';
import type { FileImage, Host } from '../ports/host';
import { tasks } from '../registry';
import { RuntimePlace } from '../runtime-place';
import { field, foldersIn, imagesIn, type Kept, strings, sysctlsIn } from './walk';

export type { Kept } from './walk';
export { driftOf, keepWritten, readWritten, type Written, writtenAfter, writtenBy, writtenFile } from './written';

const preimages = '/var/lib/strata/preimages';
const mostFiles = 300; // of one folder
const octal = (mode: number | undefined): string => (mode === undefined ? '' : ` ${mode.toString(8).padStart(4, '0')}`);
type Found = Pick<Change, 'kind' | 'what' | 'before' | 'now' | 'restored'>;

/**
 * Everything on this machine that Strata owns: from what each task kept ahead of its first change, and from what is there now. Contents of files are
 * never told: only digests, sizes, modes.
 * @param kept in the order in which it was kept
 */
export async function changesOf(host: Host, kept: readonly Kept[]): Promise<Change[]> {
  const all: Change[] = await own(host);
  for (const k of kept) {
    const found = await ofTask(host, k);
    const title = tasks.get(k.task)?.title ?? k.task;
    const told = found.length > 0 ? found : [{ kind: 'step' as const, what: title, before: 'nothing was kept: what it made lies in the folders of other tasks', now: 'done', restored: false }];
    all.push(...told.map((f) => ({ ...f, task: k.task, step: k.step, at: k.at })));
  }
  const first = new Map(all.map((c) => [`${c.kind} ${c.what}`, c] as const).reverse()); // two tasks that touch one thing: the first found it as it was
  return all.filter((c) => first.get(`${c.kind} ${c.what}`) === c);
} // prettier-ignore

/** What the agent's folder was ahead of it, where it was there: its mode. Kept at joining. */
export const stateBeforeFile = '/var/lib/strata/folder-before.json';
const StateBefore = z.object({ mode: z.int() });
/** What that file says; null where there is none, or half of one. */
export function stateBeforeOf(text: string | null): z.infer<typeof StateBefore> | null {
  try {
    return StateBefore.parse(JSON.parse(text ?? ''));
  } catch {
    return null;
  }
}

/** The agent itself: what joining brought. */
async function own(host: Host): Promise<Change[]> {
  const found: Change[] = [];
  const folder = stateBeforeOf(await host.files.read(stateBeforeFile));
  for (const path of ['/usr/local/bin/stratad', '/opt/strata/bin/stratad', '/etc/systemd/system/stratad.service', '/etc/strata/agent.yaml', '/var/lib/strata']) {
    const now = await nowAt(host, path);
    if (now !== 'absent')
      found.push({ kind: path === '/var/lib/strata' ? 'folder' : 'file', what: path, before: path === '/var/lib/strata' && folder ? `folder${octal(folder.mode)}` : 'absent', now, restored: false, task: 'agent.install', step: 'join', at: null });
  }
  return found;
} // prettier-ignore

async function ofTask(host: Host, k: Kept): Promise<Found[]> {
  const found: Found[] = [];
  for (const image of imagesIn(k.before)) {
    found.push(await ofImage(host, image));
    const unit = /^\/etc\/systemd\/system\/([^/]+\.(service|timer|mount|socket))$/.exec(image.path)?.[1];
    if (unit !== undefined && image.kind === 'absent') found.push(await ofUnit(host, unit, 'no such unit'));
  }
  for (const [path, names] of foldersIn(k)) found.push(...(await ofFolder(host, path, names)));
  for (const [key, value] of sysctlsIn(k)) {
    const now = await host.kernel.sysctl(key);
    if (now !== value || k.task === 'kernel.sysctl') found.push({ kind: 'sysctl', what: key, before: value, now: now ?? 'absent', restored: now === value });
  }
  return [...found, ...(await special(host, k))];
}

async function special(host: Host, { task, before, input }: Kept): Promise<Found[]> {
  switch (task) {
    case 'packages.install': {
      const there = new Set(strings(field(before, 'installed')));
      const notes = JSON.parse((await host.files.read('/var/lib/strata/notes/packages.json')) ?? '{}') as Record<string, string[]>;
      const ours = [...new Set(Object.values(notes).flat())].filter((name) => !there.has(name)).sort();
      const now = await host.packages.installed(ours);
      return ours.map((what) => ({ kind: 'package', what, before: 'not installed', now: now[what] ?? 'not installed', restored: (now[what] ?? null) === null }));
    }
    case 'kernel.modules':
      return Promise.all(strings(field(before, 'unloaded')).map(async (what) => {
        const now = await host.kernel.module(what);
        return { kind: 'module' as const, what, before: 'not loaded', now, restored: now !== 'loaded' };
      }));
    case 'ntp.configure': {
      const unit = String(field(before, 'unit'));
      return [await ofUnit(host, unit, `${field(before, 'active') === true ? 'active' : 'inactive'}, ${field(before, 'enabled') === true ? 'enabled' : 'disabled'}`)];
    }
    case 'firewall.open': {
      const ports = (field(input, 'ports') as { proto: string; port: number; from?: string[] }[] | undefined) ?? [];
      return ports.map((p) => ({ kind: 'firewall', what: `${p.proto} ${p.port}${p.from?.length ? ` from ${p.from.join(', ')}` : ''}`, before: 'no rule of ours', now: 'opened', restored: false }));
    }
    case 'sshd.configure': {
      const here = new Set((await host.users.authorizedKeys('root')).map((key) => key.trim()));
      return strings(field(before, 'added')).map((key) => {
        const [type = '', body = '', ...comment] = key.trim().split(/\s+/);
        const restored = !here.has(key.trim());
        return { kind: 'key', what: `root ${type} …${body.slice(-12)} ${comment.join(' ')}`.trim(), before: 'not authorised', now: restored ? 'not authorised' : 'authorised', restored };
      });
    }
    case 'images.import': {
      const here = new Set((await host.images(RuntimePlace.catch('own').parse(field(before, 'place'))).list().catch(() => [])).map((i) => i.ref));
      return strings(field(before, 'absent')).map((what) => ({ kind: 'image', what, before: 'absent', now: here.has(what) ? 'imported' : 'absent', restored: !here.has(what) }));
    }
    case 'artifacts.fetch':
      return strings(field(before, 'missing')).map((what) => ({ kind: 'artifact', what, before: 'not in the store', now: "in the agent's store, or dropped", restored: false }));
    case 'swap.policy':
      return strings(field(before, 'devices')).map((what) => ({ kind: 'swap', what, before: 'on', now: 'off', restored: false }));
    case 'hostname.set': {
      const now = await host.hostname();
      return [{ kind: 'hostname', what: 'hostname', before: String(field(before, 'name')), now, restored: now === field(before, 'name') }];
    }
    default:
      return network(host, before);
  }
} // prettier-ignore

/** Interfaces and tables that the cluster's network made since. */
async function network(host: Host, before: unknown): Promise<Found[]> {
  const network = field(before, 'links') === undefined ? field(before, 'network') : before;
  if (!Array.isArray(field(network, 'links'))) return [];
  const links = new Set(strings(field(network, 'links')));
  const tables = new Set(strings(field(network, 'tables')));
  const now = (await host.network.links()).filter((l) => !links.has(l) && /^(flannel|cni|kube)/.test(l));
  const listed = await host.programs.run(['nft', 'list', 'tables'], { timeoutMs: 15_000 }).catch(() => null);
  const more = (listed?.stdout ?? '').split('\n').flatMap((l) => /^table (\S+ \S+)$/.exec(l.trim())?.[1] ?? []).filter((t) => !tables.has(t)); // prettier-ignore
  const made = { before: 'absent', now: 'there', restored: false };
  return [
    ...now.map((what) => ({ kind: 'interface' as const, what, ...made })),
    ...more.map((t) => ({ kind: 'firewall' as const, what: `table ${t}`, ...made })),
  ];
}

async function ofUnit(host: Host, unit: string, before: string): Promise<Found> {
  const s = await host.units.state(unit);
  const now = s.load === 'not-found' ? 'no such unit' : `${s.active}, ${s.enabled}`;
  return { kind: 'unit', what: unit, before, now, restored: now === before };
}
async function ofImage(host: Host, image: FileImage): Promise<Found> {
  const now = await nowAt(host, image.path);
  const isFolder = image.kind === 'directory' || (image.kind === 'absent' && now.startsWith('folder'));
  const kind = isFolder ? 'folder' : image.kind === 'link' ? 'link' : 'file';
  const before = await wasAt(host, image);
  return { kind, what: image.path, before, now, restored: now === before };
}
async function wasAt(host: Host, image: FileImage): Promise<string> {
  if (image.kind === 'absent') return 'absent';
  if (image.kind === 'link') return `link to ${image.target ?? ''}`;
  if (image.kind === 'directory') return `folder${octal(image.mode)}`;
  const size = (await host.files.stat(`${preimages}/${image.sha256 ?? ''}`))?.size;
  return `sha256:${(image.sha256 ?? '').slice(0, 16)} ${size === undefined ? 'its pre-image is lost' : `${size} bytes`}${octal(image.mode)}`;
}
async function nowAt(host: Host, path: string): Promise<string> {
  const s = await host.files.stat(path);
  if (s === null) return 'absent';
  if (s.kind === 'link') return `link to ${s.target ?? ''}`;
  if (s.kind !== 'file') return `folder${octal(s.mode)}`;
  return `sha256:${((await host.files.sha256(path)) ?? '').slice(0, 16)} ${s.size} bytes${octal(s.mode)}`;
}
/** A folder that was filled; below /etc each of its files by itself. */
async function ofFolder(host: Host, path: string, names: string[] | null): Promise<Found[]> {
  const stat = await host.files.stat(path);
  const now = stat === null ? null : await host.files.list(path);
  const count = (n: string[] | null): string => (n === null ? 'absent' : `${n.length} entries`);
  const head: Found = { kind: 'folder', what: path, before: count(names), now: count(now), restored: JSON.stringify(names) === JSON.stringify(now) };
  if (now === null || !path.startsWith('/etc/')) return [head];
  const inside: Found[] = [];
  const walk = async (at: string, depth: number): Promise<void> => {
    for (const name of await host.files.list(at)) {
      const s = await host.files.stat(`${at}/${name}`);
      if (s?.kind === 'directory' && depth > 0) await walk(`${at}/${name}`, depth - 1);
      else if (s !== null && inside.length < mostFiles) inside.push({ kind: s.kind === 'link' ? 'link' : 'file', what: `${at}/${name}`, before: 'absent', now: await nowAt(host, `${at}/${name}`), restored: false });
    }
  };
  for (const name of now.filter((n) => !(names ?? []).includes(n))) {
    const s = await host.files.stat(`${path}/${name}`);
    if (s?.kind === 'directory') await walk(`${path}/${name}`, 3);
    else inside.push({ kind: 'file', what: `${path}/${name}`, before: 'absent', now: await nowAt(host, `${path}/${name}`), restored: false });
  }
  return [head, ...inside];
} // prettier-ignore
