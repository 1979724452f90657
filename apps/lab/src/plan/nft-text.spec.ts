import { labNetwork, secondNetwork } from './address-plan';
import { faultTable, natTable, routerTable, secondGuard } from './nft-text';

const network = labNetwork(0);
const linkOf = (node: string): string => `vb-s0-${node}`;

it('lets nothing private leave the machine but what is named, and nothing of the lab leave unmasked', () => {
  expect(natTable(network, ['192.168.1.1', '10.0.0.2', '10.0.0.2'])).toBe(`table ip strata_lab_0 {}
delete table ip strata_lab_0
table ip strata_lab_0 {
  chain post {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr 10.78.0.0/24 ip daddr != 10.78.0.0/24 masquerade
  }
  chain out {
    type filter hook forward priority filter; policy accept;
    iifname "slab0" oifname "slab0" accept
    iifname "slab0" ip daddr { 10.0.0.2, 192.168.1.1 } accept
    iifname "slab0" ip daddr { 10.0.0.0/8, 100.64.0.0/10, 169.254.0.0/16, 172.16.0.0/12, 192.168.0.0/16 } reject
  }
}
`);
});

it('lets nothing out of the network of second cards', () => {
  expect(secondGuard(secondNetwork(0))).toContain('iifname "slab0b" oifname != "slab0b" reject');
});

it('lets nothing in behind a NAT but answers', () => {
  expect(routerTable('10.80.0.0/24')).toContain('ip daddr 10.80.0.0/24 ct state != { established, related } drop');
});

it('writes no empty set where nothing is allowed', () => {
  expect(natTable(network, [])).not.toContain('{  }');
});

it('rejects all that is not the lab itself when the way out is off', () => {
  const text = natTable(network, ['192.168.1.1'], false);
  expect(text).toContain('    iifname "slab0" oifname "slab0" accept\n    iifname "slab0" reject\n');
  expect(text).not.toContain('192.168.1.1');
});

describe('faults', () => {
  it('are only taken away when nothing is wrong', () => {
    expect(faultTable(network, [{ link: 'vb-s0-n1', cutFrom: [], loss: 0 }], linkOf)).toBe('table bridge strata_lab_0 {}\ndelete table bridge strata_lab_0\n');
  });

  it('cut a node from all, both ways, in every hook', () => {
    expect(faultTable(network, [{ link: 'vb-s0-n2', cutFrom: ['*'], loss: 0 }], linkOf)).toMatchInlineSnapshot(`
"table bridge strata_lab_0 {}
delete table bridge strata_lab_0
table bridge strata_lab_0 {
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname "vb-s0-n2" drop
    oifname "vb-s0-n2" drop
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "vb-s0-n2" drop
  }
  chain output {
    type filter hook output priority filter; policy accept;
    oifname "vb-s0-n2" drop
  }
}
"
`);
  });

  it('cut a node from one other, or from the host only', () => {
    const one = faultTable(network, [{ link: 'vb-s0-n2', cutFrom: ['n1'], loss: 0 }], linkOf);
    expect(one).toContain('iifname "vb-s0-n2" oifname "vb-s0-n1" drop');
    expect(one).toContain('iifname "vb-s0-n1" oifname "vb-s0-n2" drop');
    expect(one).not.toContain('chain input');
    const host = faultTable(network, [{ link: 'vb-s0-n2', cutFrom: ['host'], loss: 0 }], linkOf);
    expect(host).toContain('chain input');
    expect(host).not.toContain('chain forward');
  });

  it('lose a share of the frames, to a tenth of a percent', () => {
    expect(faultTable(network, [{ link: 'vb-s0-n2', cutFrom: [], loss: 2.5 }], linkOf)).toContain('iifname "vb-s0-n2" numgen random mod 1000 < 25 drop');
  });
});
