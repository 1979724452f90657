import type { ProgramResult } from '../ports/host';
import type { MemoryHost } from './memory-host';
import type { SimulatedKubernetes } from './simulated-kubeadm';

const ok = (stdout = ''): ProgramResult => ({ code: 0, stdout, stderr: '' });
const bad = (stderr: string): ProgramResult => ({ code: 1, stdout: '', stderr });
const data = '/var/lib/rancher/k3s';

/** Gives a memory machine K3s: one program, two units, tokens that only the server makes. `tokens`: ids that are worth something, shared by all machines. */
export function simulateK3s(host: MemoryHost, world: SimulatedKubernetes & { tokens: Set<string> }, node: { name: string; address: string }): void {
  const { cluster, tokens } = world;
  const { files, units } = host;
  const register = (): void => {
    if (!cluster.members.has(node.name)) cluster.members.set(node.name, { address: node.address, labels: {}, taints: [], unschedulable: false });
  };
  const make = (path: string, content: string): void => {
    if (!files.tree.has(path)) files.put(path, content, 0o600);
  };
  cluster.network = null; // K3s brings its own
  units.behave('k3s.service', {
    start: () => {
      if (!files.tree.has(`${data}/server/tls/server-ca.crt`)) world.made.ca++;
      make(`${data}/server/tls/server-ca.crt`, `-----BEGIN CERTIFICATE-----\nk3s ${world.made.ca}\n-----END CERTIFICATE-----\n`);
      make(`${data}/agent/client-kubelet.crt`, 'client');
      files.put('/etc/rancher/k3s/k3s.yaml', `    certificate-authority-data: Y2E=\n    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n`, 0o600);
      cluster.up = () => units.active.has('k3s.service');
      cluster.objects.set('Deployment kube-system/coredns', {
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'coredns', namespace: 'kube-system' },
      });
      register();
    },
    stop: () => {
      cluster.up = () => false;
    },
  });
  units.behave('k3s-agent.service', {
    start: () => {
      const id = /::(\w+)\./.exec(files.text('/etc/rancher/k3s/agent-token') ?? '')?.[1] ?? '';
      if (!cluster.up() || (!tokens.has(id) && !files.tree.has(`${data}/agent/client-kubelet.crt`))) return;
      make(`${data}/agent/client-kubelet.crt`, 'client');
      register();
    },
  });
  host.program('systemctl', () => ok());
  host.program('k3s', (argv) => {
    const words = argv.slice(1).join(' ');
    if (!files.tree.has('/usr/local/bin/k3s')) return bad('k3s: not found');
    if (!cluster.up()) return bad('the connection to the server was refused');
    if (words.startsWith('token create')) {
      const id = `k3s${String(tokens.size + 1).padStart(3, '0')}`;
      tokens.add(id);
      return ok(`K10abc::${id}.0123456789abcdef\n`);
    }
    if (words === 'token list') return ok([...tokens].join('\n'));
    if (words.startsWith('token delete')) return tokens.delete(argv.at(-1) ?? '') ? ok() : bad('no such token');
    if (words.startsWith('kubectl get node')) return ok(cluster.members.has(argv[4] ?? '') ? `node/${argv[4]}\n` : '');
    return bad(`unknown command ${words}`);
  });
  host.http = (url) => (url.endsWith(':6443/readyz') && cluster.up() ? { status: 401, body: 'Unauthorized' } : null);
}
