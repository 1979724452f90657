import { readOnlyHost, SshMachine } from '@strata/host-ssh';
import { NodeSpec, SshSecrets } from '@strata/model';
import { bounded, lookAtNode, Scrub, scrubbed } from '@strata/tasks';
import { z } from 'zod';
import { sshTarget } from '../bootstrap/ssh-target';
import { controlEvidence, controlSecrets } from '../support/control-evidence';
import { lookAtControlHost } from './control-host';

/**
 * A program of its own, so that it works while the server does not: what `strata doctor` starts on the control host.
 *   doctor control --home DIR     looks at the control host
 *   doctor support --home DIR     what the control host gives to a support archive, scrubbed
 *   doctor ssh                    looks at one machine; `{node, secrets}` comes on standard input, so that no secret is in an argument
 * Prints JSON.
 */
const deadlineMs = 60_000;
const Machine = z.strictObject({ node: NodeSpec, secrets: SshSecrets });

async function standardInput(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

async function bySsh(): Promise<unknown> {
  const { node, secrets } = Machine.parse(JSON.parse(await standardInput()));
  const machine = await SshMachine.open(sshTarget(node, secrets, AbortSignal.timeout(deadlineMs)));
  try {
    return await lookAtNode({ host: readOnlyHost(machine), where: node.name, serverNow: () => Date.now() });
  } finally {
    machine.close();
  }
}

async function main([command, ...rest]: readonly string[]): Promise<unknown> {
  const home = rest[rest.indexOf('--home') + 1] ?? '';
  if (command === 'control') return { checks: await lookAtControlHost(home) };
  if (command === 'ssh') return { checks: await bySsh() };
  if (command === 'support') return scrubbed(bounded(await controlEvidence(home)), new Scrub(await controlSecrets(home)));
  throw new Error('usage: doctor control|support --home DIR | doctor ssh   (what `strata doctor` starts)');
}

main(process.argv.slice(2)).then(
  (found) => process.stdout.write(`${JSON.stringify(found)}\n`, () => process.exit(0)),
  (error: Error & { remedy?: string }) => {
    process.stdout.write(`${JSON.stringify({ error: error.message, remedy: error.remedy ?? '' })}\n`, () => process.exit(1));
  },
);
