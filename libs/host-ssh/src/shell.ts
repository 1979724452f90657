/** Marks where our program's output begins: whatever a login shell's start files print stands before it. */
export const marker = 'strata-output-begins';

const quoted = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`;

/**
 * One line that means the same to sh, bash, zsh, fish, csh and tcsh: single quotes around characters that none of them
 * treats specially there (no quote, backslash or exclamation mark), the real command inside as base64.
 * Needs /bin/sh and coreutils on the machine.
 */
export function commandLine(argv: readonly string[], options: { env?: Record<string, string>; cwd?: string; sudo?: 'password' | 'free' } = {}): string {
  const env = Object.entries(options.env ?? {}).map(([k, v]) => `${k}=${v}`);
  const words = [...(env.length > 0 ? ['env', ...env] : []), ...argv].map(quoted).join(' ');
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH; LC_ALL=C.UTF-8; export LC_ALL; umask 022;';
  const script = `${path} ${options.cwd ? `cd ${quoted(options.cwd)} || exit 125; ` : ''}printf ${quoted(`${marker}\\n`)}; exec ${words}`;
  const inner = base64Line(script);
  if (!options.sudo) return inner;
  // -k: never a remembered answer, so that the password line is always read, and never reaches the program
  const flags = options.sudo === 'password' ? '-k -S -p ""' : '-n';
  return base64Line(`exec sudo ${flags} -- ${inner}`);
}
const base64Line = (script: string): string => `/bin/sh -c 'eval "$(echo ${Buffer.from(script).toString('base64')} | base64 -d)"'`;

/** Output behind the marker; null if the marker never came: then no shell ran our line. */
export function afterMarker(stdout: string): string | null {
  const at = stdout.indexOf(`${marker}\n`);
  return at < 0 ? null : stdout.slice(at + marker.length + 1);
}
