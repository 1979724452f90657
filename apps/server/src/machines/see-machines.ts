import { Injectable } from '@nestjs/common';
import { type AddNodeBody, Facts, type LookAtMachines, type MachineSeen, type MachinesSeen } from '@strata/model';
import { readOnlyHost, SshError, SshMachine } from '@strata/host-ssh';
import { addressesFor, freeRanges } from '@strata/planner';
import pLimit from 'p-limit';
import { sshTarget } from '../bootstrap/ssh-target';
import { Edges } from '../serve/edges';

const atOnce = 10;

/** Looks at machines that belong to no cluster, over SSH as for prechecks, and says what they are. Keeps nothing, changes nothing. */
@Injectable()
export class SeeMachines {
  private readonly slots = pLimit(atOnce);
  constructor(private readonly edges: Edges) {}

  async run({ machines }: LookAtMachines, by: string): Promise<MachinesSeen> {
    const seen = await Promise.all(machines.map((m) => this.slots(() => this.look(m, by))));
    const facts = seen.flatMap((m) => (m.facts ? [m.facts] : []));
    return { machines: seen, ranges: freeRanges(facts) };
  }

  private async look({ node, secrets }: AddNodeBody, by: string): Promise<MachineSeen> {
    const nothing = { name: node.name, facts: null, hostKey: null, addresses: [], failure: null };
    try {
      const target = sshTarget(node, secrets ?? null, this.edges.stopping);
      const machine = await SshMachine.open(target);
      try {
        const { hostKey } = machine;
        if (hostKey.accepted === 'new')
          await this.edges.store.audit.record({ by, action: 'ssh.host-key.accepted', object: `machine/${target.host}`, body: { fingerprint: hostKey.fingerprint } });
        const facts = Facts.parse(await readOnlyHost(machine).facts());
        return { ...nothing, facts, hostKey, addresses: addressesFor(facts, target.host) };
      } finally {
        machine.close();
      }
    } catch (error) {
      if (!(error instanceof SshError)) throw error;
      return { ...nothing, failure: { code: error.code, message: error.message, remedy: error.remedy } };
    }
  }
} // prettier-ignore
