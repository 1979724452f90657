import { learnt } from './server-addresses';

const at = (...hosts: string[]): { sessionAddresses: string[]; artifactAddresses: string[] } => ({
  sessionAddresses: hosts.map((h) => `${h}:7444`),
  artifactAddresses: hosts.map((h) => `${h}:7445`),
});
it('learns where the server is to be found from now on, and forgets no way that worked', () => {
  expect(learnt(at('10.0.0.1'), at('10.0.0.2', '10.0.0.3'), '10.0.0.1:7444')).toEqual(at('10.0.0.1', '10.0.0.2', '10.0.0.3'));
});
it('asks first where it was answered last', () => {
  expect(learnt(at('10.0.0.1', '10.0.0.2'), at('10.0.0.1', '10.0.0.2'), '10.0.0.2:7444')).toEqual(at('10.0.0.2', '10.0.0.1'));
});
it('has nothing to write when nothing is new, and when the server does not say', () => {
  expect(learnt(at('10.0.0.1', '10.0.0.9'), at('10.0.0.1'), '10.0.0.1:7444')).toBeNull();
  expect(learnt(at('10.0.0.1'), at(), '10.0.0.1:7444')).toBeNull();
});
it('keeps eight at most', () => {
  const many = Array.from({ length: 8 }, (_, i) => `10.0.1.${i}`);
  expect(learnt(at(...many), at('10.0.0.1'), '10.0.0.1:7444')?.sessionAddresses).toEqual(at('10.0.0.1', ...many.slice(0, 7)).sessionAddresses);
});
