import { spawn } from 'node:child_process';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}
/** Runs a program; `show` lets it speak on our own output, else both outputs are collected. `input` goes to standard input. */
export function run(
  argv: readonly [string, ...string[]],
  options: { show?: boolean; input?: string; timeoutMs: number; env?: Record<string, string> },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const stdio = options.show ? (['pipe', 'inherit', 'inherit'] as const) : (['pipe', 'pipe', 'pipe'] as const);
    const child = spawn(argv[0], argv.slice(1), { stdio: [...stdio], env: { ...process.env, ...options.env } });
    const timer = setTimeout(() => child.kill('SIGTERM'), options.timeoutMs);
    let stdout = '';
    let stderr = '';
    child.stdout?.on('data', (b: Buffer) => (stdout += b.toString()));
    child.stderr?.on('data', (b: Buffer) => (stderr += b.toString()));
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(options.input ?? '');
    child.once('error', (e) => {
      clearTimeout(timer);
      reject(new Error(`\`${argv.join(' ')}\` could not be started: ${e.message}`, { cause: e }));
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? 128 + (signal === 'SIGTERM' ? 15 : 9), stdout, stderr });
    });
  });
}
/** As `run`, but anything other than exit status 0 throws with the last words of its output. */
export async function must(what: string, argv: readonly [string, ...string[]], options: Parameters<typeof run>[1]): Promise<Ran> {
  const r = await run(argv, options);
  if (r.code === 0) return r;
  const last = (r.stderr || r.stdout).trim().split('\n').slice(-8).join('\n');
  throw new QuickstartError(`${what}: \`${argv.slice(0, 6).join(' ')}\` ended with exit status ${r.code}${last ? `\n${last}` : ''}`, r.code);
}
export class QuickstartError extends Error {
  constructor(
    message: string,
    readonly exitCode: number,
  ) {
    super(message);
    this.name = 'QuickstartError';
  }
}
