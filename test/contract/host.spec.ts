import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localHost } from '@strata/host-local';
import { MemoryHost, said } from '@strata/tasks/testing';
import { hostContract } from './host-contract';
import { contractNode, contractOnNode } from './on-node';

function memoryMachine(): MemoryHost {
  const host = new MemoryHost();
  host.program('false', () => said('', 1));
  host.program('cat', (_argv, options) => said(options.input ?? ''));
  host.reachable = (_name, port) => host.banners(port) !== null;
  return host;
}

describe('the memory machine keeps the contract of a host', () => {
  it.each(hostContract.filter((c) => c.touches !== 'units'))('$name', async ({ run }) => {
    const host = memoryMachine();
    const before = host.snapshot();
    await run(host, '/scratch');
    await host.files.remove('/scratch', { recursive: true });
    expect(host.snapshot()).toEqual(before);
  });
});

/** Only what stays in a folder of its own; owners and modes need root. */
const asRoot = process.getuid?.() === 0 ? describe : describe.skip;
asRoot('this machine keeps it, as far as that touches nothing', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strata-contract-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  it.each(hostContract.filter((c) => c.touches === 'scratch').map((c, i) => ({ ...c, i })))('$name', ({ run, i }) =>
    run(localHost({ stateDir: join(folder, 'state') }), join(folder, String(i))),
  );
});

const node = contractNode();
if (node !== null)
  describe(`a real machine keeps it: ${node}`, () => {
    let results: Awaited<ReturnType<typeof contractOnNode>>;
    beforeAll(async () => {
      results = await contractOnNode(node);
    }, 300_000);
    it.each(hostContract.map((c) => c.name))('%s', (name) => expect(results.get(name)).toBeNull());
  });
