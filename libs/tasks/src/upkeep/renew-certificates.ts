import { z } from 'zod';
import { kubernetesPaths as paths } from '../orchestration/kubernetes-paths';
import type { Clock } from '../ports/clock';
import type { Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { until } from '../wait';

const day = 86_400_000;
/** kubeadm's certificates live a year: renewed when less than a third of it is left, so that a machine may be off for months. */
const leftMs = 120 * day;
/** In the order in which they need each other. */
const parts = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler'] as const;
const ctr = ['ctr', '-n', 'k8s.io'] as const;

const Expiration = z.object({ certificates: z.array(z.object({ name: z.string(), expirationDate: z.iso.datetime({ offset: true }) })) });
export interface UpkeepContext {
  host: Host;
  clock: Clock;
  signal: AbortSignal;
  log: (line: string) => void;
}

/**
 * Renews the control plane's certificates if it is time, or `now`, and starts its parts anew, one after the other: each reads them when it
 * starts. Doing it again after it was cut off is fine. @throws TaskError
 */
export async function renewCertificates(context: UpkeepContext, options: { now: boolean }): Promise<{ renewed: boolean }> {
  const { host, clock, log } = context;
  const first = await soonest(host);
  const left = first.at - clock.now();
  const pending = (await host.files.read(paths.renewing)) !== null; // renewed, but cut off before all had started anew
  if (left > leftMs && !options.now && !pending) {
    log(`the certificates are good: the first to end is ${first.name}, in ${Math.floor(left / day)} days`);
    return { renewed: false };
  }
  log(`the first certificate to end is ${first.name}, in ${Math.floor(left / day)} days: all are renewed`);
  await host.files.write(paths.renewing, '', { mode: 0o600 });
  await must(host, ['kubeadm', 'certs', 'renew', 'all', '--config', paths.config], { timeoutMs: 120_000 });
  for (const part of parts) await startAnew(part, context);
  await host.files.remove(paths.renewing);
  log('the control plane runs with its new certificates');
  return { renewed: true };
}

async function soonest(host: Host): Promise<{ name: string; at: number }> {
  const { stdout } = await must(host, ['kubeadm', 'certs', 'check-expiration', '--config', paths.config, '-o', 'json'], { timeoutMs: 60_000 });
  const all = Expiration.parse(JSON.parse(stdout)).certificates.map((c) => ({ name: c.name, at: Date.parse(c.expirationDate) }));
  const [first] = all.sort((a, b) => a.at - b.at);
  if (first) return first;
  throw new TaskError('no-certificates', 'kubeadm knows of no certificate here', { remedy: `see \`kubeadm certs check-expiration\` and ${paths.pki}` });
}

/** Ends the container of a static pod: kubelet starts another. Waits until that one runs and the API answers. */
async function startAnew(part: (typeof parts)[number], { host, clock, signal, log }: UpkeepContext): Promise<void> {
  const old = new Set(await running(host, part));
  for (const id of old) await must(host, [...ctr, 'tasks', 'kill', '--signal', 'SIGTERM', id]);
  const remedy = `see \`journalctl -u kubelet\` and /var/log/pods/kube-system_${part}* on the node, then run \`stratad renew-certificates\` again`;
  await until(clock, { what: `${part} to run anew`, timeoutMs: 180_000, everyMs: 500, signal, remedy }, async () =>
    (await running(host, part)).some((id) => !old.has(id)) ? true : null,
  );
  await until(clock, { what: `the API to answer with a new ${part}`, timeoutMs: 180_000, everyMs: 500, signal, remedy }, async () => {
    const asked = await host.programs.run(['kubectl', '--kubeconfig', paths.adminConf, '--request-timeout=5s', 'get', '--raw', '/readyz'], {
      timeoutMs: 20_000,
    });
    return asked.code === 0 ? true : null;
  });
  log(`${part} runs anew`);
}
async function running(host: Host, part: string): Promise<string[]> {
  const filter = `labels."io.kubernetes.container.name"=="${part}",labels."io.kubernetes.pod.namespace"=="kube-system"`;
  const words = async (argv: readonly string[]): Promise<string[]> => (await must(host, [...ctr, ...argv])).stdout.split('\n').map((l) => l.trim()).filter(Boolean); // prettier-ignore
  const [mine, tasks] = [await words(['containers', 'list', '-q', filter]), await words(['tasks', 'list'])];
  const alive = new Set(tasks.filter((l) => /\bRUNNING\b/.test(l)).map((l) => l.split(/\s+/)[0]));
  return mine.filter((id) => alive.has(id));
}
