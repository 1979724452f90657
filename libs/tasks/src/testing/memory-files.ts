import type { FileImage, Files, FileStat } from '../ports/host';
import { notAFile, TaskError } from '../task-error';
import type { Effects } from './effects';

export type MemoryNode =
  | { kind: 'file'; content: string; mode: number; uid: number; gid: number }
  | { kind: 'directory'; mode: number; uid: number; gid: number }
  | { kind: 'link'; target: string };

/** Stands in for sha256 on a machine that keeps its blobs as text: equal content, equal digest; an installed blob has its own. */
export function memoryDigest(content: string): string {
  if (content.startsWith('blob:')) return content.slice('blob:'.length);
  return [0, 1, 2, 3, 4, 5, 6, 7].map((seed) => fnv(content, seed).toString(16).padStart(8, '0')).join('');
}
function fnv(text: string, seed: number): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}
const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/';

const baseFolders = [
  '/',
  '/etc',
  '/etc/modules-load.d',
  '/etc/sysctl.d',
  '/etc/systemd',
  '/etc/systemd/system',
  '/etc/ssh',
  '/etc/ssh/sshd_config.d',
  '/etc/security/limits.d',
  '/opt',
  '/root',
  '/run',
  '/usr',
  '/usr/bin',
  '/usr/lib',
  '/usr/lib/systemd/system',
  '/usr/local',
  '/usr/local/bin',
  '/usr/sbin',
  '/var',
  '/var/lib',
];

/** A file tree with owners, modes and links. Content of pre-images is kept beside it, as on a machine. */
export class MemoryFiles implements Files {
  readonly tree = new Map<string, MemoryNode>();
  private readonly preimages = new Map<string, string>();
  /** sha256 of the blobs that the node's artifact store holds. */
  readonly blobs = new Set<string>();
  /** Members of archives whose text matters; the others have any. */
  readonly members = new Map<string, string>();

  constructor(private readonly effects: Effects) {
    for (const path of baseFolders) this.tree.set(path, { kind: 'directory', mode: 0o755, uid: 0, gid: 0 });
  }

  /** Sets up a file, without counting as a change. */
  put(path: string, content: string, mode = 0o644): void {
    this.parents(path);
    this.tree.set(path, { kind: 'file', content, mode, uid: 0, gid: 0 });
  }
  /** Sets up or drops anything else. */
  place(path: string, node: MemoryNode | null): void {
    if (node === null) return void this.tree.delete(path);
    this.parents(path);
    this.tree.set(path, node);
  }
  /** Drops a path and the directories above it that are empty then, but never one that every system has. */
  takeAway(path: string): void {
    this.tree.delete(path);
    for (let at = parentOf(path); !baseFolders.includes(at) && this.names(at).length === 0; at = parentOf(at)) this.tree.delete(at);
  }
  text(path: string): string | null {
    const node = this.follow(path);
    return node?.kind === 'file' ? node.content : null;
  }
  names(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`;
    return [...this.tree.keys()].filter((p) => p !== '/' && p.startsWith(prefix) && !p.slice(prefix.length).includes('/')).map((p) => p.slice(prefix.length)).sort(); // prettier-ignore
  }

  async read(path: string): Promise<string | null> {
    if (this.tree.get(path)?.kind === 'directory') throw notAFile(path);
    return Promise.resolve(this.text(path));
  }
  async stat(path: string): Promise<FileStat | null> {
    const node = this.tree.get(path);
    if (!node) return Promise.resolve(null);
    const own = node.kind === 'link' ? { mode: 0o777, uid: 0, gid: 0 } : { mode: node.mode, uid: node.uid, gid: node.gid };
    return Promise.resolve({
      kind: node.kind,
      ...own,
      size: node.kind === 'file' ? node.content.length : 0,
      target: node.kind === 'link' ? node.target : null,
    });
  }
  async list(path: string): Promise<string[]> {
    return Promise.resolve(this.names(path));
  }
  async sha256(path: string): Promise<string | null> {
    const text = await this.read(path);
    return text === null ? null : memoryDigest(text);
  }
  async image(path: string): Promise<FileImage> {
    const node = this.tree.get(path);
    if (!node) {
      const parents: string[] = [];
      for (let at = parentOf(path); !this.tree.has(at); at = parentOf(at)) parents.unshift(at);
      return Promise.resolve({ path, kind: 'absent', parents });
    }
    if (node.kind === 'link') return Promise.resolve({ path, kind: 'link', target: node.target });
    const own = { mode: node.mode, uid: node.uid, gid: node.gid };
    if (node.kind === 'directory') return Promise.resolve({ path, kind: 'directory', ...own });
    const sha256 = memoryDigest(node.content);
    this.preimages.set(sha256, node.content);
    return Promise.resolve({ path, kind: 'file', ...own, sha256 });
  }
  async restore(image: FileImage): Promise<void> {
    await this.effects.run(`files.restore ${image.path}`, () => {
      const own = { mode: image.mode ?? 0o644, uid: image.uid ?? 0, gid: image.gid ?? 0 };
      if (image.kind === 'absent') {
        this.drop(image.path);
        for (const parent of [...(image.parents ?? [])].reverse()) if (this.names(parent).length === 0) this.tree.delete(parent);
        return;
      }
      if (image.kind === 'link') return this.place(image.path, { kind: 'link', target: image.target ?? '' });
      if (image.kind === 'directory') return this.place(image.path, { kind: 'directory', ...own });
      const content = this.preimages.get(image.sha256 ?? '');
      if (content === undefined) throw new TaskError('preimage-lost', `what ${image.path} held is lost`, { remedy: 'restore it from a backup' });
      this.place(image.path, { kind: 'file', content, ...own });
    });
  }
  async write(path: string, content: string, options?: { mode?: number }): Promise<void> {
    await this.effects.run(`files.write ${path}`, () => {
      const now = this.tree.get(path);
      if (now?.kind === 'directory') throw notAFile(path);
      const own = now?.kind === 'file' ? { uid: now.uid, gid: now.gid } : { uid: 0, gid: 0 };
      this.place(path, { kind: 'file', content, mode: options?.mode ?? 0o644, ...own });
    });
  }
  async link(path: string, target: string): Promise<void> {
    await this.effects.run(`files.link ${path}`, () => this.place(path, { kind: 'link', target }));
  }
  async mkdir(path: string, options?: { mode?: number }): Promise<void> {
    await this.effects.run(`files.mkdir ${path}`, () => {
      const now = this.tree.get(path);
      this.place(path, {
        kind: 'directory',
        uid: 0,
        gid: 0,
        ...(now?.kind === 'directory' ? now : {}),
        mode: options?.mode ?? (now?.kind === 'directory' ? now.mode : 0o755),
      });
    });
  }
  async remove(path: string, options?: { recursive?: boolean }): Promise<void> {
    await this.effects.run(`files.remove ${path}`, () => {
      if (options?.recursive) for (const p of [...this.tree.keys()]) if (p === path || p.startsWith(`${path}/`)) this.tree.delete(p);
      this.drop(path);
    });
  }
  async install(artifact: { name: string; blob: { sha256: string } }, path: string, options?: { mode?: number }): Promise<void> {
    await this.effects.run(`files.install ${path}`, () => {
      this.needBlob(artifact);
      this.put(path, `blob:${artifact.blob.sha256}`, options?.mode ?? 0o755);
    });
  }
  async unpack(artifact: { name: string; blob: { sha256: string } }, members: Record<string, string>, options?: { mode?: number }): Promise<void> {
    for (const [member, path] of Object.entries(members))
      await this.effects.run(`files.unpack ${path}`, () => {
        this.needBlob(artifact);
        this.put(path, this.members.get(member) ?? `member:${member}:${artifact.blob.sha256}`, options?.mode ?? 0o755);
      });
  }

  private needBlob(artifact: { name: string; blob: { sha256: string } }): void {
    if (!this.blobs.has(artifact.blob.sha256))
      throw new TaskError('artifact-missing', `${artifact.name} is not in this node's store`, { remedy: 'retry artifacts.fetch', retry: true });
  }
  private parents(path: string): void {
    for (let at = parentOf(path); !this.tree.has(at); at = parentOf(at)) this.tree.set(at, { kind: 'directory', mode: 0o755, uid: 0, gid: 0 });
  }
  private drop(path: string): void {
    const node = this.tree.get(path);
    if (node?.kind === 'directory' && this.names(path).length > 0) return;
    this.tree.delete(path);
  }
  private follow(path: string): MemoryNode | undefined {
    let node = this.tree.get(path);
    for (let hops = 0; node?.kind === 'link' && hops < 8; hops++) {
      const base = parentOf(path);
      path = node.target.startsWith('/') ? node.target : normal(`${base}/${node.target}`);
      node = this.tree.get(path);
    }
    return node;
  }
}
function normal(path: string): string {
  const out: string[] = [];
  for (const part of path.split('/')) if (part === '..') out.pop();
    else if (part !== '' && part !== '.') out.push(part); // prettier-ignore
  return `/${out.join('/')}`;
}
