import type { Cli } from '../commands/cli';
import { printable } from '../terminal';

export interface Paper {
  cli: Cli;
  out: string[];
  err: string[];
  code: () => number | undefined;
}
/** A terminal that is a sheet of paper: everything printed is kept, hidden questions get the given answers in turn. */
export function paper(env: Record<string, string | undefined> = {}, answers: string[] = []): Paper {
  const [out, err]: [string[], string[]] = [[], []];
  let code: number | undefined;
  const terminal = {
    out: (text: string) => void out.push(printable(text)),
    err: (text: string) => void err.push(printable(text)),
    live: false,
    size: { columns: 80, rows: 0 },
    colors: false,
    interactive: answers.length > 0,
    askHidden: (question: string) => {
      err.push(question);
      const answer = answers.shift();
      return answer === undefined ? Promise.reject(new Error(`nobody answers "${question}"`)) : Promise.resolve(answer);
    },
    confirm: () => Promise.resolve(answers.shift() === 'y'),
  };
  return { cli: { env, terminal, now: () => Date.parse('2030-01-01T00:00:00Z'), exit: (c) => (code = c) }, out, err, code: () => code };
}
