import type { Check } from '@strata/model';
import { hasBlock } from '../native/marked-block';
import { kubernetesPaths as paths } from '../orchestration/kubernetes-paths';
import type { Host } from '../ports/host';
import { runtimePaths } from '../runtime-place';
import { validity } from './certificate-time';
import { Checked, lastWords, type Looking } from './check';

const dayMs = 86_400_000;
/** What of a cluster this machine has: found by what lies there, so that a look needs nobody to tell. */
export interface Parts {
  kubernetes: boolean; // by kubeadm
  k3s: 'k3s.service' | 'k3s-agent.service' | null;
  controlPlane: boolean;
}
export async function partsOf(host: Host): Promise<Parts> {
  const there = async (path: string): Promise<boolean> => (await host.files.stat(path)) !== null;
  const k3s = (await there('/etc/systemd/system/k3s.service')) ? 'k3s.service' : (await there('/etc/systemd/system/k3s-agent.service')) ? 'k3s-agent.service' : null;
  const kubernetes = k3s === null && ((await there('/etc/systemd/system/kubelet.service')) || (await there(paths.kubeletConfig)));
  return { kubernetes, k3s, controlPlane: k3s === 'k3s.service' || (await there(paths.adminConf)) || (await there(`${paths.pki}/ca.key`)) };
} // prettier-ignore

/** A unit that must run. Null while it has no file: then it was never installed. */
export async function service({ host, where }: Looking, unit: string, is: { code: 'node.containerd' | 'node.kubelet'; title: string; file: string }): Promise<Check | null> {
  const check = new Checked(is.code, where, is.title);
  const state = await host.units.state(unit);
  if (state.load === 'masked' || state.enabled === 'masked')
    return check.broken({ cause: `${unit} is masked: nothing may start it`, remedy: `systemctl unmask ${unit} && systemctl enable --now ${unit}` });
  if (state.load === 'not-found')
    return (await host.files.stat(is.file)) === null ? null : check.broken({ cause: `${unit} is gone, and ${is.file} is still there`, remedy: 'strata apply writes it again' });
  const failing = state.active === 'failed' || state.active === 'activating';
  const evidence = failing ? await lastWords(host, unit) : [];
  const how = failing ? `${unit} does not start${evidence.length > 0 ? `: ${short(evidence.at(-1) ?? '')}` : ''}` : `${unit} is ${state.active}: somebody stopped it`;
  const remedy = failing ? `mend what it says (journalctl -u ${unit} -n 50; strata apply writes our own files again), then systemctl restart ${unit}` : `systemctl start ${unit}`;
  if (state.active !== 'active') return check.broken({ cause: how, remedy, evidence });
  if (state.enabled !== 'enabled' && state.enabled !== 'static')
    return check.warning({ cause: `${unit} runs but is ${state.enabled}: it does not come back after a boot`, remedy: `systemctl enable ${unit}` });
  return check.ok();
} // prettier-ignore
const short = (text: string): string =>
  (/(?:level=(?:error|fatal) .*?)?msg="((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ?? text.replace(/^[EF]\d{4} \S+\s+\d+ \S+\] /, '')).slice(0, 300);

/** The runtime of the cluster, ours or an adopted one: its unit, and whether it answers. */
export async function containerd(l: Looking): Promise<Check | null> {
  const beside = (await l.host.files.stat(runtimePaths.beside.unitFile)) !== null;
  const at = runtimePaths[beside ? 'beside' : 'own'];
  const unit = await service(l, at.unit, { code: 'node.containerd', title: 'the container runtime runs', file: beside ? at.unitFile : `${at.binaries}/containerd` });
  if (unit?.verdict !== 'ok') return unit;
  const ctr = beside ? at.ctr : 'ctr';
  const asked = await l.host.programs.run([ctr, '--address', at.socket, '--timeout', '5s', 'version'], { timeoutMs: 10_000 }).catch((e: Error) => ({ code: 1, stdout: '', stderr: e.message }));
  if (asked.code === 0) return unit;
  const cause = `${at.unit} is active but does not answer: ${(asked.stderr.trim() || 'nothing was said').split('\n').at(-1)?.slice(0, 300) ?? ''}`;
  return new Checked('node.containerd', l.where, 'the container runtime answers').broken({ cause, remedy: `systemctl restart ${at.unit}`, evidence: await lastWords(l.host, at.unit) });
} // prettier-ignore

/** Kubelet: its unit, and what it says of itself. */
export async function kubelet(l: Looking): Promise<Check | null> {
  const unit = await service(l, 'kubelet.service', { code: 'node.kubelet', title: 'kubelet runs', file: paths.kubeletConfig });
  if (unit?.verdict !== 'ok') return unit;
  const health = await l.host.network.get('http://127.0.0.1:10248/healthz', { timeoutMs: 4_000 }).catch(() => undefined);
  if (health === undefined || health?.status === 200) return unit;
  const cause = health === null ? 'kubelet.service is active but its health port 10248 does not answer' : `kubelet says it is not well: ${health.body.slice(0, 200)}`;
  return new Checked('node.kubelet', l.where, 'kubelet is well').broken({ cause, remedy: 'see journalctl -u kubelet -n 50, then systemctl restart kubelet', evidence: await lastWords(l.host, 'kubelet.service') });
} // prettier-ignore

/** Where a kubeconfig of this machine says the API is. */
export async function endpointOf(host: Host): Promise<{ host: string; port: number } | null> {
  for (const file of [paths.kubeletConf, paths.adminConf, paths.discovery]) {
    const [, name, port] = /server:\s*["']?https:\/\/([^:/"'\s]+)(?::(\d+))?/.exec((await host.files.read(file)) ?? '') ?? [];
    if (name !== undefined) return { host: name, port: Number(port ?? 443) };
  }
  return null;
}
const isAddress = (name: string): boolean => /^[\d.]+$|:/.test(name);

/** The names that the cluster's certificates and kubeconfigs hold must lead somewhere. */
export async function names({ host, where }: Looking): Promise<Check> {
  const check = new Checked('node.names', where, "the cluster's names resolve");
  const remedy = 'strata apply writes our part of /etc/hosts again; see who takes it out (cloud-init with manage_etc_hosts?)';
  const endpoint = await endpointOf(host);
  const block = hasBlock((await host.files.read('/etc/hosts')) ?? '');
  if (endpoint === null || isAddress(endpoint.host))
    return block ? check.ok() : check.warning({ cause: 'the part of Strata is missing in /etc/hosts', remedy });
  const found = await host.network.resolve(endpoint.host, 5_000);
  if (found.length > 0 && block) return check.ok();
  const gone = block ? '' : '; the part of Strata is missing in /etc/hosts';
  if (found.length === 0) return check.broken({ cause: `${endpoint.host}, the name of the cluster's API, does not resolve${gone}`, remedy });
  return check.warning({ cause: `${endpoint.host} resolves to ${found.join(', ')}${gone}`, remedy });
}

/** The files by which kubelet is somebody, and whether their time is over. `nowMs`: by this machine's own clock. */
export async function credentials({ host, where }: Looking, nowMs: number): Promise<Check> {
  const check = new Checked('node.credentials', where, 'kubelet has its credentials');
  const remedy = 'strata apply gives it to kubelet again; or put it back from a backup, then systemctl restart kubelet';
  const config = await host.files.read(paths.kubeletConf);
  if (config === null) return check.broken({ cause: `${paths.kubeletConf} is missing: kubelet cannot log in to the API`, remedy });
  const file = /client-certificate:\s*(\S+)/.exec(config)?.[1] ?? paths.kubeletClient;
  const pem = config.includes('client-certificate-data:') ? atobOrNull(/client-certificate-data:\s*(\S+)/.exec(config)?.[1] ?? '') : await host.files.read(file);
  if (pem === null) return check.broken({ cause: `${file}, kubelet's client certificate, is missing`, remedy });
  const ca = await host.files.read(paths.caCert);
  if (ca === null) return check.broken({ cause: `${paths.caCert} is missing`, remedy: 'put it back from another node' });
  for (const [what, text] of [[file, pem], [paths.caCert, ca], [`${paths.pki}/apiserver.crt`, await host.files.read(`${paths.pki}/apiserver.crt`)]] as const) {
    if (text === null) continue;
    const times = validity(text);
    if (times === null) return check.broken({ cause: `${what} holds no certificate that can be read`, remedy });
    if (nowMs > times.until) return check.broken({ cause: `${what} has expired on ${day(times.until)}`, remedy: 'renew it: `kubeadm certs renew all` on the control plane; kubelet renews its own as soon as the API answers' });
    if (nowMs < times.from - 60_000) return check.broken({ cause: `${what} is not good before ${day(times.from)}: is the clock right?`, remedy: 'set the clock' });
    if (times.until - nowMs < 14 * dayMs && what !== file) return check.warning({ cause: `${what} expires on ${day(times.until)}`, remedy: 'renew it: `kubeadm certs renew all`' });
  }
  return check.ok();
} // prettier-ignore
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
function atobOrNull(text: string): string | null {
  try {
    return atob(text);
  } catch {
    return null;
  }
}
