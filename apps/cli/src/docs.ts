import type { Command } from 'commander';

/** docs/cli.md: every command in one line, from the commands themselves. A spec compares; `STRATA_WRITE_DOCS=1 npx jest docs` in apps/cli writes it anew. */
export function cliDocument(program: Command): string {
  const rows = leaves(program, '').map(({ path, command }) => {
    const words = command.registeredArguments.map((a) => (a.required ? `<${a.name()}>` : `[${a.name()}${a.variadic ? '…' : ''}]`));
    const options = command.options.filter((o) => !o.hidden && o.long !== '--help').map((o) => `\`${o.long ?? o.flags}\``);
    return `| \`${[path, ...words].join(' ')}\` | ${command.description()} | ${options.join(' ')} |`;
  });
  return [...head, ...rows, ''].join('\n');
}
function leaves(command: Command, path: string): { path: string; command: Command }[] {
  const here = path === '' ? command.name() : `${path} ${command.name()}`;
  const visible = command.commands.filter((c) => c.name() !== 'help' && c.name() !== 'complete');
  const itself = visible.length === 0 || (path !== '' && command.options.length > 0); // `pods` does something, and has commands below it
  return [...(itself ? [{ path: here, command }] : []), ...visible.flatMap((c) => leaves(c, here))];
}

const head = [
  '# The command line',
  '',
  'Made from the commands themselves (`apps/cli/src/docs.ts`); a test compares. `strata COMMAND --help` tells what each option means.',
  '',
  '**Which server:** `--context NAME`, else `STRATA_SERVER` with `STRATA_TOKEN_FILE` and `STRATA_CA_FILE` (or `STRATA_CA_PIN`), else `~/.config/strata/config.yaml` (0600; `strata up` writes it).',
  '',
  '**Exit codes:** 0 done or nothing to do · 1 failed · 2 wrong command, file or option, nothing was sent (`plan --detailed-exitcode`: something would be done) · 3 a precheck said no, nothing was changed · 4 degraded: some workers are left behind; those that were away are finished by themselves when they return, those where a step failed by `runs resume` · 5 another run is at work on the cluster · 124 not over in time, the run goes on · 130 left with Ctrl-C, what runs goes on. `kubectl` and `lab exec` end with the code of what they ran.',
  '',
  '**Secrets** for the first contact by SSH never stand in the spec or in arguments: `passwordFrom`, `sudoPasswordFrom` and `passphraseFrom` are `prompt`, `env:NAME` or `file:PATH` (`sudoPasswordFrom` also `same`). They are sent once, over TLS. `~/.ssh/config`, `~/.ssh/known_hosts` and the usual key files are read here, on the machine of whoever types. With `ssh.agent: true` (or `--agent`) your own ssh agent is used when you type on the control host: the path of its socket goes along, the key never leaves the agent; a server whose own environment has `SSH_AUTH_SOCK` falls back to that one.',
  '',
  '**On a terminal** a run is a live tree; anywhere else it is one line for each thing that happens; with `--log-format json` it is one event of the ledger a line.',
  '',
  '| command | what it does | options |',
  '|---|---|---|',
];
