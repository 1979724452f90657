import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Finding, PairCell, PairMatrix, PairNode } from '@strata/model';
import { pairsText } from './pairs-text';
import { escapeHtml, precheckPage } from './precheck-page';

const node = (name: string, over: Partial<PairNode> = {}): PairNode => ({
  ...{ name, role: 'worker', address: `10.0.0.1${name.slice(1)}`, system: 'Debian 12 · kernel 6.1 · 4 CPUs · 8.0 GiB', probe: 'perl', why: '', taken: [] },
  disk: { path: '/var/lib/kubelet', writes: 100, p50Us: 300, p99Us: 2_000, maxUs: 4_000 },
  ...over,
});
const cell = (from: string, to: string, over: Partial<PairCell> = {}): PairCell => ({
  ...{ from, to, rttUs: 240, lossPercent: 0, mbit: 940.2, severity: null, remedies: [], mtu: { path: 1500, link: 1500, told: false } },
  ports: [
    { proto: 'tcp', port: 6443, result: 'open', needed: to === 'n1', why: '' },
    { proto: 'udp', port: 8472, result: 'open', needed: true, why: '' },
  ],
  ...over,
});
const dropped: Partial<PairCell> = {
  severity: 'blocker',
  remedies: ['on n1: `ufw allow 8472/udp`'],
  ports: [{ proto: 'udp', port: 8472, result: 'dropped', needed: true, why: 'it reaches the machine, whose own firewall drops it' }],
};
const matrix: PairMatrix = {
  full: true,
  tookMs: 4_200,
  ports: [{ proto: 'tcp', port: 6443, what: 'the Kubernetes API' }, { proto: 'udp', port: 8472, what: 'the pod network, vxlan' }],
  nodes: [node('n1', { role: 'control-plane', disk: { path: '/var/lib/etcd', writes: 21, p50Us: 142_000, p99Us: 270_000, maxUs: 280_000 } }), node('n2')],
  pairs: [cell('n1', 'n2', { mtu: { path: 1400, link: 1500, told: false }, severity: 'blocker' }), cell('n2', 'n1', dropped)],
}; // prettier-ignore
const page = (over: Partial<Parameters<typeof precheckPage>[0]> = {}): string =>
  precheckPage({ title: 'Cluster home', at: 'today', findings: [], matrix, absent: [], ...over });

describe('the page', () => {
  test('names each trouble in the matrix, with what to do, and each machine with its disk', () => {
    const html = page({ findings: [{ severity: 'blocker', code: 'pairs.blocked', message: 'UDP 8472 does not get through', remedy: 'open it', node: 'n1' }] });
    for (const text of ['UDP 8472 dropped', 'MTU 1400 of 1500', 'ufw allow 8472/udp', '0.24 ms', '940 Mbit/s', 'slow disk', '270 ms', 'UDP 8472 does not get through', 'pairs.blocked', 'Not ready: 1 blocker'])
      expect(html).toContain(text);
  }); // prettier-ignore
  test('needs nothing else and runs nothing', () => {
    const html = page();
    expect(html).not.toMatch(/<script|<link|<img|<iframe|src=|href=|url\(|@import|https?:|\son[a-z]+=/i);
    expect(html).toContain("default-src 'none'");
  });
  test('is markup of ours only: what machines say is text', () => {
    const evil = '</style><script>alert(1)</script>"\'><img src=x onerror=y>\u202e';
    const html = page({
      title: evil,
      at: evil,
      findings: [{ severity: 'warning', code: evil, message: evil, remedy: evil, node: evil }],
      absent: [{ node: evil, why: evil }],
      matrix: { ...matrix, ports: [{ proto: 'tcp', port: 1, what: evil }], nodes: [node('n1', { name: evil, role: evil, address: evil, system: evil, why: evil, probe: null, disk: { path: evil, writes: 1, p50Us: 1, p99Us: 1, maxUs: 1 } }), node('n2', { why: evil })], pairs: [cell(evil, 'n2', { remedies: [evil], severity: 'warning', ports: [{ proto: 'tcp', port: 1, result: 'lost', needed: true, why: evil }] })] },
    }); // prettier-ignore
    expect(html).not.toMatch(/<script|<img|onerror=y>|\u202e/);
    expect(html.match(/<\/style>/g)).toHaveLength(1);
    expect(html).toContain(escapeHtml('<script>alert(1)</script>'));
  });
  test.each([
    [[], 'Ready to install'],
    [[{ severity: 'warning' as const, code: 'x', message: 'm', remedy: '' }], 'Can be installed, with 1 warning'],
  ])('its first words are the verdict', (findings, says) => {
    expect(page({ findings, matrix: null })).toContain(says);
  });
  test('a machine that was not reached is not ready', () => {
    expect(page({ absent: [{ node: 'n3', why: 'no answer in 10 s' }], matrix: null })).toMatch(/Not ready: 1 machine not reached[\s\S]*no answer in 10 s/);
  });
  test('of many machines a cell is small: the trouble, else the round trip; the rest is in its tooltip', () => {
    const names = Array.from({ length: 9 }, (_, i) => `n${i + 1}`);
    const pairs = names.flatMap((from) => names.filter((to) => to !== from).map((to) => cell(from, to, to === 'n1' ? dropped : {})));
    const html = page({ matrix: { ...matrix, nodes: names.map((n) => node(n)), pairs } });
    expect(html.match(/✓<\/span> <\/span>\n<span class="figs num">0\.24 ms<\/span>/g)).toHaveLength(64);
    expect(html.match(/✕<\/span> UDP 8472 dropped<\/span>/g)).toHaveLength(8);
    expect(html).toContain('n2 to n3\ntcp 6443: open');
  });
  test('every element that is opened is closed', () => {
    const open: string[] = [];
    for (const [, close, name = '', rest] of page().matchAll(/<(\/?)([a-z0-9]+)([^>]*)>/g)) {
      if (['meta', 'br'].includes(name) || rest?.endsWith('/')) continue;
      if (close === '') open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });
});

test('as text', () => {
  expect(pairsText(matrix)).toEqual([
    'From each machine to each other (tcp 6443, udp 8472):',
    '  n1 -> n2  MTU 1400 of 1500  0.24 ms, 940 Mbit/s, MTU 1400',
    '  n2 -> n1  UDP 8472 dropped  0.24 ms, 940 Mbit/s, MTU 1500',
    'Machines:',
    '  n1 (10.0.0.11, control-plane): SLOW DISK: a safe write under /var/lib/etcd takes 270 ms (p99), 142 ms (median)',
    '  n2 (10.0.0.12, worker): a safe write under /var/lib/kubelet takes 2.0 ms (p99), 0.30 ms (median)',
  ]);
});

test('docs/precheck-sample.html is what such a page looks like (written anew with STRATA_WRITE_DOCS=1)', () => {
  const all = [6443, 2379, 2380, 10250].map((number) => ({ proto: 'tcp' as const, port: number })).concat({ proto: 'udp' as never, port: 8472 });
  const portsTo = (to: string, stopped?: number): PairCell['ports'] => all.map((p) => ({ ...p, result: p.port === stopped ? ('dropped' as const) : ('open' as const), needed: p.port > 8000 || (p.port === 6443 && to === 'n1'), why: p.port === stopped ? 'it reaches the machine, whose own firewall drops it' : '' }));
  const narrow = { severity: 'blocker' as const, remedies: ['set the MTU of the interfaces to 1400, or repair the network between the machines, or let ICMP "fragmentation needed" through'], mtu: { path: 1400, link: 1500, told: false }, mbit: null };
  const stopped = { severity: 'blocker' as const, remedies: ['on n1: `ufw allow 8472/udp`'], ports: portsTo('n1', 8472) };
  const both = { ...stopped, mtu: narrow.mtu, remedies: [...stopped.remedies, ...narrow.remedies] };
  const sample: PairMatrix = {
    ...matrix,
    ports: [['tcp', 6443, 'the Kubernetes API'], ['tcp', 2379, 'etcd'], ['tcp', 2380, 'etcd'], ['tcp', 10250, 'kubelet'], ['udp', 8472, 'the pod network (vxlan)']].map(([proto, number, what]) => ({ proto: proto as 'tcp', port: number as number, what: what as string })),
    nodes: [node('n1', { role: 'control-plane', disk: { path: '/var/lib/etcd', writes: 100, p50Us: 310, p99Us: 2_400, maxUs: 3_900 } }), node('n2'), node('n3', { disk: { path: '/var/lib/kubelet', writes: 21, p50Us: 142_000, p99Us: 270_000, maxUs: 280_000 } })],
    pairs: [cell('n1', 'n2', { ports: portsTo('n2'), ...narrow, rttUs: 640 }), cell('n1', 'n3', { ports: portsTo('n3'), mbit: 937 }), cell('n2', 'n1', { ...both, mbit: 611 }), cell('n2', 'n3', { ports: portsTo('n3'), ...narrow, mbit: 702 }), cell('n3', 'n1', { ...stopped, mbit: 941 }), cell('n3', 'n2', { ports: portsTo('n2'), ...narrow, rttUs: 590 })],
  };
  const findings: Finding[] = [
    { severity: 'blocker', code: 'pairs.blocked', node: 'n1', message: 'UDP 8472, the pod network (vxlan), does not get from n2, n3 to n1: it reaches the machine, whose own firewall drops it', remedy: 'on n1: `ufw allow 8472/udp`' },
    { severity: 'blocker', code: 'pairs.mtu', node: 'n2', message: 'packets of more than 1,400 bytes do not get through from n1, n3 to n2, nor from n2 to n1, n3, though the interface lets 1,500 out, and nothing tells the sender: large answers of the API would hang for ever', remedy: narrow.remedies[0]! },
    { severity: 'warning', code: 'disk.slow', node: 'n3', message: 'a small write under /var/lib/kubelet takes 270 ms to be safe on disk (99th percentile of 21; median 142 ms); less than 100 ms is wanted', remedy: 'put /var/lib/kubelet on a faster disk (SSD), or expect a slow or restless cluster' },
    { severity: 'info', code: 'kernel.cgroup-v1', node: 'n1', message: 'this machine uses cgroup hybrid: kubelet is told to accept it', remedy: '' },
  ];
  const path = join(__dirname, '../../../docs/precheck-sample.html');
  const html = precheckPage({ title: '3 machines: n1 is root@10.0.0.11, n2 is root@10.0.0.12, n3 is root@10.0.0.13', at: 'Sat, 28 Nov 2026 16:00:00 GMT', findings, matrix: sample, absent: [] });
  if (process.env.STRATA_WRITE_DOCS) writeFileSync(path, html);
  expect(readFileSync(path, 'utf8')).toBe(html);
}); // prettier-ignore
