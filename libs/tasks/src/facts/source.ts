/** How facts are read: on this machine or over SSH. Nothing but systemd, dbus, sshd, iproute2, coreutils and util-linux may be needed. */
export interface FactSource {
  /** Text of a file, or null if it cannot be read. */
  read(path: string): Promise<string | null>;
  /** Names in a directory; empty if there is none. */
  list(path: string): Promise<string[]>;
  /** Runs a program (never a shell). Null if there is no such program. */
  run(argv: readonly string[]): Promise<{ code: number; stdout: string } | null>;
}

/** Standard output of a program that ended well, without the last newline; null otherwise. */
export async function output(source: FactSource, argv: readonly string[]): Promise<string | null> {
  const result = await source.run(argv);
  return result && result.code === 0 ? result.stdout.trimEnd() : null;
}
/** Standard output whatever the exit status; empty if the program is not there. */
export async function text(source: FactSource, argv: readonly string[]): Promise<string> {
  return ((await source.run(argv))?.stdout ?? '').trimEnd();
}
export const lines = (value: string | null): string[] => (value ?? '').split('\n').filter((line) => line.trim() !== '');
/** Whether `test` says yes: -e, -x, -w, -S. */
export async function holds(source: FactSource, test: string, path: string): Promise<boolean> {
  return (await source.run(['test', test, path]))?.code === 0;
}
/** What `iproute2 -j` printed; an empty list if it did not. */
export function jsonList(value: string | null): Record<string, unknown>[] {
  if (!value) return [];
  try {
    const parsed: unknown = JSON.parse(value);
    return Array.isArray(parsed) ? (parsed as Record<string, unknown>[]) : [];
  } catch {
    return [];
  }
}
