import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';

/** Adds `strata completion bash|zsh|fish|powershell`, a script to source; what it asks comes back through the hidden command `complete`. Call it last. */
export function addCompletion(program: Command): void {
  tab(program, { completionCommandName: 'completion' });
  program.commands.find((c) => c.name() === 'completion')?.description('a script for your shell: source <(strata completion bash)');
}
