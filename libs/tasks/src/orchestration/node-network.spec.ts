import type { Host } from '../ports/host';
import { MemoryHost, said } from '../testing';
import { endPods, nodeNetworkBefore, restoreNodeNetwork } from './node-network';

/** iptables of a machine on which kubelet and the portmap plugin have been, beside a rule of the owner's. */
function iptables(host: MemoryHost): Map<string, string[]> {
  const tables = new Map([
    ['nat', ['-P PREROUTING ACCEPT', '-N KUBE-SERVICES', '-N CNI-HOSTPORT-DNAT', '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES', '-A PREROUTING -p tcp -j REDIRECT --to-ports 8080', '-A KUBE-SERVICES -j CNI-HOSTPORT-DNAT']],
    ['filter', ['-P INPUT ACCEPT', '-A INPUT -s 10.9.0.0/16 -j DROP']],
    ['mangle', []],
  ]); // prettier-ignore
  host.program('iptables', (argv) => {
    const table = tables.get(argv[argv.indexOf('-t') + 1] ?? '') ?? [];
    const at = argv.findIndex((w) => ['-S', '-D', '-F', '-X'].includes(w));
    const chain = argv[at + 1] ?? '';
    const quoted = (w: string): string => (w.includes(' ') ? `"${w}"` : w);
    const drop = (gone: (line: string) => boolean): void => void table.splice(0, table.length, ...table.filter((l) => !gone(l)));
    if (argv[at] === '-S') return said(table.join('\n'));
    if (argv[at] === '-D')
      drop(
        (l) =>
          l ===
          `-A ${argv
            .slice(at + 1)
            .map(quoted)
            .join(' ')}`,
      );
    if (argv[at] === '-F') drop((l) => l.startsWith(`-A ${chain} `));
    if (argv[at] === '-X') drop((l) => l === `-N ${chain}`);
    return said();
  });
  return tables;
}

describe('what pods and their network leave', () => {
  it('goes, and what was there before stays', async () => {
    const host = new MemoryHost('n1', '10.0.0.11');
    host.files.put('/etc/cni/net.d/99-own.conflist', 'own');
    host.files.put('/var/log/syslog', '');
    await host.files.mkdir('/lib');
    const before = await nodeNetworkBefore(host);
    const snapshot = host.snapshot();
    host.files.put('/etc/cni/net.d/10-flannel.conflist', 'ours');
    host.files.put('/var/lib/kubelet/config.yaml', 'x');
    host.files.put('/var/log/pods/p/0.log', 'x');
    await host.files.mkdir('/etc/ssl/certs'); // for pods that mount it
    await host.files.mkdir('/lib/modules');
    host.baseFacts.mtu['flannel.1'] = 1450;
    host.sysctls.set('vm.overcommit_memory', '1');
    await restoreNodeNetwork(host, before);
    expect(host.snapshot()).toEqual(snapshot);
  });
  it('leaves what somebody put into a mount point of pods', async () => {
    const host = new MemoryHost('n1', '10.0.0.11');
    const before = await nodeNetworkBefore(host);
    host.files.put('/etc/ssl/certs/ca-certificates.crt', 'came with a package since');
    await restoreNodeNetwork(host, before);
    expect(await host.files.read('/etc/ssl/certs/ca-certificates.crt')).toMatch(/since/);
  });
  it('takes the folder of network namespaces away if pods brought it and nobody else is in it', async () => {
    const after = async (o: { there?: boolean; theirs?: boolean }): Promise<string[]> => {
      const host = new MemoryHost('n1', '10.0.0.11');
      if (o.there) await host.files.mkdir('/run/netns');
      const before = await nodeNetworkBefore(host);
      for (const name of ['cni-1', ...(o.theirs ? ['mine'] : [])]) host.files.put(`/run/netns/${name}`, '');
      host.program('ip', (argv) => (host.files.place(`/run/netns/${argv.at(-1) ?? ''}`, null), said()));
      await restoreNodeNetwork(host, before);
      return (await host.files.stat('/run/netns')) === null ? ['gone'] : host.files.list('/run/netns');
    };
    expect([await after({}), await after({ there: true }), await after({ theirs: true })]).toEqual([['gone'], [], ['mine']]);
  });
  it('takes only chains of Kubernetes out of iptables', async () => {
    const host = new MemoryHost('n1', '10.0.0.11');
    const tables = iptables(host);
    await restoreNodeNetwork(host, await nodeNetworkBefore(host));
    expect(tables.get('nat')).toEqual(['-P PREROUTING ACCEPT', '-A PREROUTING -p tcp -j REDIRECT --to-ports 8080']);
    expect(tables.get('filter')).toHaveLength(2);
  });
  it('takes them out by nft where there is no iptables, with what iptables made by itself in a table of the owner', async () => {
    const host = new MemoryHost('n1', '10.0.0.11');
    const own = (more = '', chains = ''): string => `table ip filter {\n\tchain INPUT { # handle 1\n\t\ttype filter hook input priority filter; policy drop;\n${more}\t\ttcp dport 22 accept # handle 2\n\t}\n${chains}}\n`; // prettier-ignore
    let rules = own();
    const calls: string[] = [];
    host.program('nft', (argv) => {
      if (argv.includes('list')) return said(rules);
      calls.push(argv.slice(1).join(' '));
      return said();
    });
    const before = await nodeNetworkBefore(host);
    const ours =
      '\tchain OUTPUT { # handle 7\n\t\ttype filter hook output priority filter; policy accept;\n\t}\n\tchain KUBE-FIREWALL { # handle 5\n\t\tdrop # handle 6\n\t}\n';
    rules = `${own('\t\tcounter packets 0 bytes 0 jump KUBE-FIREWALL # handle 9\n', ours)}table ip kube-proxy { # handle 3\n\tmap m { # handle 4\n\t}\n}\n`;
    await restoreNodeNetwork(host, before);
    expect(calls).toEqual([
      'delete rule ip filter INPUT handle 9',
      'flush chain ip filter KUBE-FIREWALL',
      'delete chain ip filter KUBE-FIREWALL',
      'delete table ip kube-proxy',
      'delete chain ip filter OUTPUT',
    ]);
  });
  it('takes out the sets of addresses of network policies when the kernel lets go of them, and nobody else’s', async () => {
    const host = new MemoryHost('n1', '10.0.0.11');
    const sets = new Map([['KUBE-DST-ABCDEFGHIJKLMN23', 1], ['KUBE-SRC-ABCDEFGHIJKLMN45', 0], ['KUBE-SRC-mine', 0], ['blocklist', 0]]); // how often each is still in use
    host.program('ipset', (argv) => {
      const name = argv.at(-1) ?? '';
      if (argv[1] === 'list') return said([...sets.keys(), ''].join('\n'));
      const uses = sets.get(name) ?? 0;
      if (uses === 0) return sets.delete(name) ? said() : said('', 1);
      sets.set(name, uses - 1);
      return said('', 1, 'Set cannot be destroyed: it is in use by a kernel component');
    });
    await restoreNodeNetwork(host, await nodeNetworkBefore(host));
    expect([...sets.keys()]).toEqual(['KUBE-SRC-mine', 'blocklist']);
  }); // prettier-ignore
  it('does not stay for a mount that a half made container still holds', async () => {
    const host = new MemoryHost('n1', '10.0.0.11');
    const path = '/run/containerd/io.containerd.runtime.v2.task/k8s.io/5c74/rootfs';
    host.mounted.push({ path, device: 'overlay', type: 'overlay', options: [] });
    const calls: string[] = [];
    const busy = {
      ...host.mounts,
      unmount: async (at: string, options?: { detach?: boolean }) => {
        calls.push(`${at} ${options?.detach === true ? 'detached' : 'tried'}`);
        if (options?.detach !== true) throw new Error('target is busy');
      },
    };
    await endPods({ files: host.files, programs: host.programs, units: host.units, mounts: busy } as unknown as Host);
    expect(calls).toEqual([`${path} tried`, `${path} detached`]);
  });
});
