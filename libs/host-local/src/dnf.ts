import { TaskError } from '@strata/tasks';
import type { Manager, RunManager } from './packages';
import { runProgram, tail } from './programs';

/** Packages of Fedora, RHEL and their kin. dnf waits for its own lock. */
export function dnfPackages(run: RunManager): Manager {
  async function table(argv: readonly string[]): Promise<Record<string, string>> {
    const r = await runProgram(['rpm', ...argv, '--qf', '%{NAME}|%{VERSION}-%{RELEASE}\\n'], { timeoutMs: 60_000 });
    return Object.fromEntries(r.stdout.split('\n').filter((l) => l.includes('|')).map((l) => [l.split('|')[0] ?? '', l.split('|')[1] ?? ''])); // prettier-ignore
  }
  return {
    installed: async (names) => {
      const found = names.length > 0 ? await table(['-q', ...names]) : {};
      return Object.fromEntries(names.map((n) => [n, found[n] ?? null]));
    },
    all: () => table(['-qa']),
    install: async (names, o) => {
      await run(['dnf', '-y', '--setopt=install_weak_deps=False', 'install', ...names], o);
    },
    remove: async (names, o) => {
      const here = Object.keys(await table(['-q', ...names]));
      if (here.length === 0) return;
      const dry = await runProgram(['rpm', '-e', '--test', ...here], { timeoutMs: 60_000 });
      if (dry.code !== 0)
        throw new TaskError('package-needed', `${here.join(', ')} cannot be removed alone`, {
          remedy: 'remove what needs them yourself, or leave them all and go on',
          detail: tail(dry.stderr, 6),
        });
      await run(['rpm', '-e', ...here], o);
    },
    lockHolder: () => Promise.resolve(null),
    interrupted: () => Promise.resolve([]),
  };
}
