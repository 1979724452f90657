import { hostContract } from '../contract/host-contract';
import { contractOnNode } from '../contract/on-node';
import { Lab } from './support/lab';

/** The same cases that the memory machine keeps, so that memory machines do not prove only themselves. */
describe('a bare lab node keeps the contract of a host', () => {
  let lab: Lab;
  let errors: Map<string, string | null>;
  beforeAll(async () => {
    lab = await Lab.up({ nodes: 1, base: 'bare' });
    errors = await contractOnNode(`${lab.name}/n1`);
  }, 600_000);
  afterAll(() => lab.dispose());

  it.each(hostContract.map((c) => c.name))('%s', (name) => expect(errors.get(name)).toBeNull());
});
