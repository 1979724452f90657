import { execFile, spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { LabFailure } from './failure';

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}
export interface RunOptions {
  /** Milliseconds; default 30,000. After it the program is killed and the call fails. */
  readonly deadline?: number;
  readonly input?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/**
 * Runs a program and gives its exit code; never a shell.
 * @throws LabFailure when it cannot be started or passes its deadline.
 */
export async function tryRun(program: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const deadline = options.deadline ?? 30_000;
  return new Promise<Ran>((resolve, reject) => {
    const child = execFile(
      program,
      [...args],
      { timeout: deadline, killSignal: 'SIGKILL', maxBuffer: 64 << 20, env: options.env ?? { ...process.env, LC_ALL: 'C.UTF-8' } },
      (error, stdout, stderr) => {
        if (error && error.code === 'ENOENT') {
          reject(new LabFailure(`${program} is not installed`, { remedy: `install the package that holds ${program}, then try again`, cause: error }));
        } else if (error && (error.killed || typeof error.code !== 'number')) {
          reject(
            new LabFailure(`${program} ${args.join(' ')} did not end within ${deadline / 1000} s`, {
              remedy: 'look at what it waits for (its output is the cause), then try again',
              exitCode: 124,
              cause: new Error((stderr || stdout || error.message).trim().slice(-2000)),
            }),
          );
        } else {
          resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
        }
      },
    );
    child.stdin?.on('error', () => undefined); // a program that does not read its input closes it early
    child.stdin?.end(options.input ?? '');
  });
}

/**
 * Runs a program that must succeed; gives its standard output.
 * @throws LabFailure with the end of its error output as cause.
 */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryRun(program, args, options);
  if (code === 0) return stdout;
  throw new LabFailure(`${program} ${args.join(' ')} failed with exit code ${code}`, {
    remedy: 'the cause above says why; `strata lab down` cleans up what is half done',
    cause: new Error((stderr || stdout).trim().slice(-2000) || 'it printed nothing'),
  });
}

/** Waits until `ready` says yes, looking every 100 ms; false when `deadline` (milliseconds) passed first. */
export async function waitFor(ready: () => boolean | Promise<boolean>, deadline: number): Promise<boolean> {
  const end = Date.now() + deadline;
  for (;;) {
    if (await ready()) return true;
    if (Date.now() >= end) return false;
    await new Promise((wake) => setTimeout(wake, 100));
  }
}

/** Kills a process and all its descendants: killing nsenter alone would leave what runs in the node. */
function killTree(root: number): void {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const parent = Number(/^\d+ \(.*\) \S (\d+) /s.exec(readFileSync(`/proc/${entry}/stat`, 'utf8'))?.[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
    } catch {
      // it ended meanwhile
    }
  }
  const kill = (pid: number): void => {
    for (const child of children.get(pid) ?? []) kill(child);
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it ended meanwhile
    }
  };
  kill(root);
}

/**
 * Runs a program on this terminal (standard streams inherited) and gives its exit code. SIGTERM and SIGHUP to us end it and its children.
 * @param deadline milliseconds, after which it and its children are killed (exit code 124); none when absent
 */
export async function runAttached(program: string, args: readonly string[], deadline?: number): Promise<number> {
  return new Promise<number>((resolve, reject) => {
    const child = spawn(program, [...args], { stdio: 'inherit' });
    let killedFor: number | undefined;
    const end = (code: number): void => {
      killedFor = code;
      if (child.pid) killTree(child.pid);
    };
    const timer = deadline ? setTimeout(() => end(124), deadline) : undefined;
    const handlers: [NodeJS.Signals, () => void][] = [
      ['SIGINT', () => undefined], // the terminal sends it to the child too; the child decides
      ['SIGTERM', () => end(143)],
      ['SIGHUP', () => end(129)],
    ];
    for (const [signal, handler] of handlers) process.on(signal, handler);
    child.once('error', (cause) => reject(new LabFailure(`${program} could not be started`, { remedy: `install ${program}, then try again`, cause })));
    child.once('close', (code) => {
      clearTimeout(timer);
      for (const [signal, handler] of handlers) process.off(signal, handler);
      resolve(killedFor ?? code ?? 130);
    });
  });
}
