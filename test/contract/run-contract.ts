import { localHost } from '@strata/host-local';
import { hostContract } from './host-contract';

/** Runs the contract on the machine it is started on, as root, and prints one JSON object a case: `node contract.cjs all|scratch`. */
async function main(which: string): Promise<void> {
  for (const [i, c] of hostContract.entries()) {
    if (which !== 'all' && c.touches !== 'scratch') continue;
    const host = localHost({ stateDir: '/var/tmp/strata-contract/state', order: { orderId: `contract-${process.pid}-${i}`, attempt: 1 } });
    const folder = `/var/tmp/strata-contract/${i}`;
    const error = await c.run(host, folder).then(
      () => null,
      (e: unknown) => (e instanceof Error ? (e.stack ?? e.message) : String(e)),
    );
    process.stdout.write(`${JSON.stringify({ name: c.name, error })}\n`);
  }
  await localHost({ stateDir: '/var/tmp/strata-contract/state' }).files.remove('/var/tmp/strata-contract', { recursive: true });
}
void main(process.argv[2] ?? 'scratch');
