import type { Facts } from '@strata/model';
import { kubeletConstraints } from './demands';
import { contextOf } from './context';
import { bareMetal, nodesOf, requestOf, specOf } from './testing/fixtures';

const dns = { servers: ['10.0.0.1'], search: ['corp.example', 'any.example'], managedBy: 'file', target: null };
const resolver = (over: Partial<Facts['dns']>, servers: string[] = []): unknown => {
  const spec = specOf({ nodes: nodesOf(1), native: { dns: { servers } } });
  const c = contextOf(requestOf(spec, { facts: new Map([['n1', bareMetal('10.0.0.11', { dns: { ...dns, ...over } })]]) }));
  const [n] = c.nodes;
  return n && kubeletConstraints(n, c.spec).resolver;
};

describe('where pods learn of name servers', () => {
  it('from the machine itself where that does no harm', () => expect(resolver({})).toBeUndefined());
  it("from systemd-resolved's own list where the machine asks its stub", () => expect(resolver({ managedBy: 'systemd-resolved' })).toBe('resolved'));
  it('from a file of ours where the stub has no such list, or where it is some other one on loopback', () => {
    expect(resolver({ managedBy: 'systemd-resolved', servers: ['127.0.0.53'] }, ['198.51.100.1'])).toEqual({ servers: ['198.51.100.1'], search: dns.search });
    expect(resolver({ servers: ['127.0.0.1', '10.0.0.2'] })).toEqual({ servers: ['10.0.0.2'], search: dns.search });
  });
  it('without search domains under which any name resolves', () => {
    expect(resolver({ wildcard: ['any.example'] })).toEqual({ servers: ['10.0.0.1'], search: ['corp.example'] });
    expect(resolver({ managedBy: 'systemd-resolved', wildcard: dns.search })).toEqual({ servers: ['10.0.0.1'], search: [] });
  });
});
