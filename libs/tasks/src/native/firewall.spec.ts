import { execFileSync } from 'node:child_process';
import { taskNamed } from '../registry';
import { MemoryHost, nativeSamples, seedIptables, tryTask } from '../testing';

const task = taskNamed('firewall.open');
const sample = nativeSamples.find((s) => s.task === 'firewall.open');
const opening = (...peers: string[]): object => ({ ports: [{ proto: 'tcp', port: 10250, from: peers }], trust: ['10.244.0.0/16'], interfaces: ['cni0'] });
function dropping(): MemoryHost {
  const host = new MemoryHost();
  sample?.prepare?.(host);
  return host;
}
const rules = (host: MemoryHost): string => JSON.stringify(host.extra.get('nft-chains'));

it('is satisfied where nothing drops', async () => {
  const host = new MemoryHost();
  expect(await tryTask(task, { host }, { input: opening('10.0.0.12/32') })).toMatchObject({ outcome: 'satisfied' });
});

it('follows the spec: a node that left is no longer let in, one that came is', async () => {
  const host = dropping();
  await tryTask(task, { host }, { input: opening('10.0.0.12/32') });
  const second = await tryTask(task, { host }, { input: opening('10.0.0.13/32') });
  expect(second).toMatchObject({ outcome: 'changed' });
  expect(rules(host)).toContain('10.0.0.13');
  expect(rules(host)).not.toContain('10.0.0.12');
  expect(await tryTask(task, { host }, { input: opening() })).toMatchObject({ outcome: 'changed' }); // from anywhere
});

it('gives all back by its first before, whatever was opened since', async () => {
  const host = dropping();
  const found = host.snapshot();
  const first = await tryTask(task, { host }, { input: opening('10.0.0.12/32') });
  await tryTask(task, { host }, { input: opening('10.0.0.12/32', '10.0.0.13/32') });
  await tryTask(task, { host }, { action: 'undo', input: opening('10.0.0.12/32', '10.0.0.13/32'), before: first.result.before });
  expect(host.snapshot()).toEqual(found);
});

it("takes back no more than its own run's rules by a later before", async () => {
  const host = dropping();
  await tryTask(task, { host }, { input: opening('10.0.0.12/32') });
  const between = host.snapshot();
  const second = await tryTask(task, { host }, { input: opening('10.0.0.12/32', '10.0.0.13/32') });
  await tryTask(task, { host }, { action: 'undo', input: opening('10.0.0.12/32', '10.0.0.13/32'), before: second.result.before });
  expect(host.snapshot()).toEqual(between);
});

it("keeps the cluster's own rules where nftables.service flushes everybody's, though nothing drops", async () => {
  const host = new MemoryHost();
  host.units.seed('nftables.service', { active: true, enabled: true });
  const found = host.snapshot();
  const first = await tryTask(task, { host }, { input: opening() });
  expect(first).toMatchObject({ outcome: 'changed' });
  const script = (await host.files.read('/usr/local/lib/strata/keep-firewall-open')) ?? '';
  expect(script).toContain('again kube-proxy kube-proxy\nagain flanneld flannel-ipv4\n');
  expect(() => execFileSync('sh', ['-n'], { input: script })).not.toThrow();
  await tryTask(task, { host }, { action: 'undo', input: opening(), before: first.result.before });
  expect(host.snapshot()).toEqual(found);
});

describe('several owners at once', () => {
  const both = (): MemoryHost => {
    const host = dropping();
    seedIptables(host);
    return host;
  };
  const save = async (host: MemoryHost): Promise<string> => (await host.programs.run(['iptables-save'])).stdout;

  it('puts the rules into each chain that drops, ahead of what drops', async () => {
    const host = both();
    expect(await tryTask(task, { host }, { input: opening('10.0.0.0/24') })).toMatchObject({ outcome: 'changed' });
    expect(rules(host)).toContain('ip saddr 10.244.0.0/16 accept');
    const text = await save(host);
    expect(text).toContain('-A INPUT -s 10.0.0.0/24 -p tcp -m tcp --dport 10250 -m comment --comment strata-tcp-10250-10.0.0.0_24 -j ACCEPT');
    for (const chain of ['FORWARD', 'DOCKER-USER']) expect(text).toMatch(new RegExp(`-A ${chain} -d 10.244.0.0/16 -m comment --comment strata-forward-to-10.244.0.0_16 -j ACCEPT\n-A ${chain} -s 10.244`)); // prettier-ignore
    expect(text.indexOf('-A DOCKER-USER -d 10.244')).toBeLessThan(text.indexOf('-A DOCKER-USER -i eth0 -j DROP'));
    expect(text).toContain(':INPUT DROP');
  });
  it('gives all of them back', async () => {
    const host = both();
    const found = host.snapshot();
    const { result } = await tryTask(task, { host }, { input: opening('10.0.0.0/24') });
    await tryTask(task, { host }, { action: 'undo', input: opening('10.0.0.0/24'), before: result.before });
    expect(host.snapshot()).toEqual(found);
  });
  it('keeps the rules by a script that puts in what is missing, and nothing else', async () => {
    const host = both();
    await tryTask(task, { host }, { input: opening('10.0.0.0/24') });
    const script = (await host.files.read('/usr/local/lib/strata/keep-firewall-open')) ?? '';
    expect(script).toContain('found=$(nft list chain inet filter forward 2>/dev/null)');
    expect(script).toContain('has strata-on-cni0 || put nft insert rule inet filter input iifname cni0 accept comment \'"strata-on-cni0"\'');
    expect(() => execFileSync('sh', ['-n'], { input: script })).not.toThrow();
    expect(script).toContain('found=$(iptables -w 10 -t filter -S DOCKER-USER 2>/dev/null)');
    expect(host.units.active.has('strata-firewall.timer')).toBe(true);
  });
  it('is unsatisfied again when the firewall lost one rule, and takes its rules out where nothing drops any more', async () => {
    const host = both();
    await tryTask(task, { host }, { input: opening('10.0.0.0/24') });
    const lost = (await save(host)).split('\n').find((l) => l.startsWith('-A INPUT -i cni0'))?.split(' ').slice(1) ?? []; // prettier-ignore
    await host.programs.run(['iptables', '-D', ...lost]);
    expect(await tryTask(task, { host }, { input: opening('10.0.0.0/24') })).toMatchObject({ outcome: 'changed' });
    expect(await save(host)).toContain('-A INPUT -i cni0');
    (host.extra.get('iptables') as { chains: Record<string, string> }).chains.INPUT = 'ACCEPT';
    await tryTask(task, { host }, { input: opening('10.0.0.0/24') });
    expect(await save(host)).not.toContain('-A INPUT -i cni0');
  });
});
