import type { Check } from '@strata/model';
import { missing } from '../orchestration/written-files';
import { kubernetesPaths as paths, staticPods } from '../orchestration/kubernetes-paths';
import type { Host } from '../ports/host';
import { Checked, type Looking } from './check';
import { endpointOf } from './services';

/** The static pods that kubelet is to start. */
export async function manifests({ host, where }: Looking): Promise<Check> {
  const check = new Checked('node.manifests', where, 'the control plane is laid out');
  const absent = await missing(host, staticPods);
  if (absent.length === 0) return check.ok();
  return check.broken({ cause: `missing: ${absent.join(', ')}; kubelet does not start what has no manifest`, remedy: 'put the file back, or strata apply, which lays it out again' });
} // prettier-ignore

/** The last lines of a static pod's newest log: `/var/log/pods/kube-system_NAME-NODE_UID/NAME/N.log`. */
export async function podWords(host: Host, name: string, count = 3): Promise<string[]> {
  const root = '/var/log/pods';
  const folder = (await host.files.list(root)).find((f) => f.startsWith(`kube-system_${name}-`));
  if (folder === undefined) return [];
  const newest = (await host.files.list(`${root}/${folder}/${name}`)).filter((f) => /^\d+\.log$/.test(f)).sort((a, b) => parseInt(a, 10) - parseInt(b, 10)).at(-1); // prettier-ignore
  if (newest === undefined) return [];
  const tail = await host.programs.run(['tail', '-n', '60', `${root}/${folder}/${name}/${newest}`], { timeoutMs: 10_000 }).catch(() => null);
  const lines = (tail?.stdout ?? '').split('\n').filter(Boolean).map((l) => l.replace(/^\S+ (stdout|stderr) [FP] /, ''));
  const bad = lines.filter((l) => /^[EF]\d{4} |"level":"(error|fatal|panic)"|panic|error|fatal|refused|denied|no such/i.test(l));
  return (bad.length > 0 ? bad : lines).slice(-count).map((l) => l.slice(0, 400));
} // prettier-ignore

export async function etcd({ host, where }: Looking): Promise<Check> {
  const check = new Checked('node.etcd', where, 'etcd is well');
  if (!(await host.network.reaches('127.0.0.1', 2379, 3_000))) {
    const data = (await host.files.stat(`${paths.etcd}/member`)) === null ? `; ${paths.etcd}/member is missing` : '';
    return check.broken({ cause: `etcd does not listen on port 2379${data}`, remedy: `read its log in /var/log/pods/kube-system_etcd-*; if its data in ${paths.etcd} is lost, restore a snapshot`, evidence: await podWords(host, 'etcd') }); // prettier-ignore
  }
  const health = await host.network.get('http://127.0.0.1:2381/health', { timeoutMs: 5_000 }).catch(() => undefined);
  if (health === undefined || health?.status === 200) return check.ok();
  const cause = health === null ? 'etcd listens but does not answer on its health port 2381' : `etcd says: ${health.body.slice(0, 200)}`;
  return check.broken({ cause, remedy: 'see its log in /var/log/pods/kube-system_etcd-*; a slow disk does this too', evidence: await podWords(host, 'etcd') });
}

export async function apiserver({ host, where }: Looking): Promise<Check> {
  const check = new Checked('node.apiserver', where, 'the API server is well');
  const remedy = 'read its log in /var/log/pods/kube-system_kube-apiserver-*; kubelet starts it again by itself once its cause is mended';
  if (!(await host.network.reaches('127.0.0.1', 6443, 3_000)))
    return check.broken({ cause: 'the API server does not listen on port 6443', remedy, evidence: await podWords(host, 'kube-apiserver') });
  const got = await host.network.get('https://127.0.0.1:6443/readyz', { timeoutMs: 5_000, insecure: true }).catch(() => undefined);
  if (got === undefined || got?.status === 200 || got?.status === 401 || got?.status === 403) return check.ok();
  const cause = got === null ? 'the API server listens on port 6443 but does not answer' : `the API server says it is not ready: ${notReady(got.body)}`;
  return check.broken({ cause, remedy, evidence: await podWords(host, 'kube-apiserver') });
}
const notReady = (body: string): string => body.split('\n').filter((l) => l.startsWith('[-]')).join('; ').slice(0, 300) || body.slice(0, 100); // prettier-ignore

/** Whether this machine reaches the API under the name that its kubeconfig holds. */
export async function api({ host, where }: Looking): Promise<Check | null> {
  const check = new Checked('node.api', where, "this machine reaches the cluster's API");
  const at = await endpointOf(host);
  if (at === null) return null;
  if (await host.network.reaches(at.host, at.port, 5_000)) return check.ok();
  return check.broken({ cause: `${at.host}:${at.port} takes no connection from here`, remedy: 'see whether the control plane is well (strata doctor), then routes and firewalls between' });
} // prettier-ignore
