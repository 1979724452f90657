import { createInterface } from 'node:readline';
import { usage } from './cli-error';

/** Where the program reads and writes. One for the process, another for tests. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether a frame can be repainted there: a terminal of known size. */
  readonly live: boolean;
  readonly size: { columns: number; rows: number };
  readonly colors: boolean;
  /** Asks a person; what is typed is not shown. @throws CliError when nobody is there */
  askHidden(question: string): Promise<string>;
  /** Yes or no; no is the default. Without a person: no. */
  confirm(question: string): Promise<boolean>;
  readonly interactive: boolean;
}

/** Text of others (messages of machines, names out of files) cannot steer the terminal: of its control characters only line ends and tabs are left. */
export const printable = (text: string): string => text.replace(/[^\P{Cc}\n\t]|\p{Cf}/gu, ' ');

export function processTerminal(env: NodeJS.ProcessEnv = process.env): Terminal {
  const { stdin, stdout, stderr } = process;
  const rows = (): number => stdout.rows ?? 0;
  return {
    out: (text) => void stdout.write(`${printable(text)}\n`),
    err: (text) => void stderr.write(`${printable(text)}\n`),
    get live() {
      return stdout.isTTY === true && rows() > 0 && env.TERM !== 'dumb' && env.CI === undefined;
    },
    get size() {
      return { columns: stdout.columns || 80, rows: rows() };
    },
    colors: stdout.isTTY === true && env.NO_COLOR === undefined && env.TERM !== 'dumb',
    interactive: stdin.isTTY === true,
    askHidden: (question) => askHidden(question),
    confirm: async (question) => {
      if (stdin.isTTY !== true) return false;
      const lines = createInterface({ input: stdin, output: stderr });
      try {
        return await new Promise<boolean>((resolve) => {
          lines.once('close', () => resolve(false));
          lines.question(`${question} [y/N] `, (answer) => resolve(/^y(es)?$/i.test(answer.trim())));
        });
      } finally {
        lines.close();
      }
    },
  };
}

/** Raw mode, so that the terminal does not echo; the question goes to standard error, so that standard output may be piped. */
function askHidden(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (stdin.isTTY !== true)
    return Promise.reject(
      usage(
        `${question.trim().replace(/:$/, '')} cannot be asked: standard input is no terminal`,
        'take it from the environment (env:NAME) or from a file (file:PATH) in the spec',
      ),
    );
  return new Promise((resolve, reject) => {
    let typed = '';
    stderr.write(question);
    stdin.setRawMode(true).resume().setEncoding('utf8');
    const done = (end: () => void): void => {
      stdin.off('data', onData).setRawMode(false).pause();
      stderr.write('\n');
      end();
    };
    const onData = (text: string): void => {
      for (const c of text) {
        if (c === '\r' || c === '\n' || c === '\u0004') return done(() => resolve(typed));
        if (c === '\u0003') return done(() => reject(usage('left at the question')));
        if (c === '\u007f' || c === '\b') typed = [...typed].slice(0, -1).join('');
        else if (c >= ' ') typed += c;
      }
    };
    stdin.on('data', onData);
  });
}
