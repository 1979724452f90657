import type { Packages } from '../ports/host';
import { TaskError } from '../task-error';
import type { Effects } from './effects';
import type { MemoryFiles } from './memory-files';
import type { MemoryUnits } from './memory-units';

export interface MemoryPackage {
  version: string;
  brings?: string[];
  files?: Record<string, string>;
  /** Enabled and started at installation, as Debian does. */
  units?: string[];
}

/** A package manager with a repository. */
export class MemoryPackages implements Packages {
  readonly repository = new Map<string, MemoryPackage>();
  readonly here = new Map<string, string>();
  kind: 'apt' | 'dnf' | null = 'apt';
  holder: string | null = null;
  halfDone: string[] = [];

  constructor(private readonly machine: { files: MemoryFiles; units: MemoryUnits; effects: Effects }) {}

  /** Sets packages up as installed. */
  seed(...names: string[]): void {
    for (const name of names) this.add(name);
  }
  manager = (): Promise<'apt' | 'dnf' | null> => Promise.resolve(this.kind);
  installed = (names: readonly string[]): Promise<Record<string, string | null>> =>
    Promise.resolve(Object.fromEntries(names.map((n) => [n, this.here.get(n) ?? null])));
  all = (): Promise<Record<string, string>> => Promise.resolve(Object.fromEntries(this.here));
  lockHolder = (): Promise<string | null> => Promise.resolve(this.holder);
  interrupted = (): Promise<string[]> => Promise.resolve([...this.halfDone]);
  async install(names: readonly string[]): Promise<void> {
    if (this.halfDone.length > 0)
      throw new TaskError('package-interrupted', `dpkg was interrupted: ${this.halfDone.join(', ')}`, { remedy: 'run `dpkg --configure -a`' });
    await this.machine.effects.run(`packages.install ${names.join(' ')}`, () => {
      const unknown = names.filter((n) => !this.repository.has(n));
      if (unknown.length > 0)
        throw new TaskError('package-unknown', `no package is named ${unknown.join(', ')}`, { remedy: 'see the sources of this machine', retry: true });
      for (const name of names) this.add(name);
    });
  }
  async remove(names: readonly string[]): Promise<void> {
    await this.machine.effects.run(`packages.remove ${names.join(' ')}`, () => {
      const more = [...this.here.keys()].filter((n) => !names.includes(n) && this.repository.get(n)?.brings?.some((b) => names.includes(b)));
      if (more.length > 0) throw new TaskError('package-needed', `${more.join(', ')} would go too`, { remedy: 'remove them yourself' });
      for (const name of names) {
        const p = this.repository.get(name);
        if (!this.here.delete(name)) continue;
        for (const unit of p?.units ?? []) this.machine.units.unseed(unit);
        for (const path of Object.keys(p?.files ?? {})) this.machine.files.takeAway(path);
      }
    });
  }
  private add(name: string): void {
    if (this.here.has(name)) return;
    const p = this.repository.get(name) ?? { version: '1.0' };
    this.here.set(name, p.version);
    for (const other of p.brings ?? []) this.add(other);
    for (const [path, content] of Object.entries(p.files ?? {}))
      if (!this.machine.files.tree.has(path)) this.machine.files.put(path, content, path.includes('bin/') ? 0o755 : 0o644);
    for (const unit of p.units ?? []) this.machine.units.seed(unit, { active: true, enabled: true });
  }
}
