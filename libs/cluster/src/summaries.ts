import type { V1CertificateSigningRequest, V1Node, V1Pod } from '@kubernetes/client-node';
import type { ClusterNode, PodSummary, SigningRequest } from '@strata/tasks';

export function nodeSummary(n: V1Node): ClusterNode {
  const ready = n.status?.conditions?.find((c) => c.type === 'Ready');
  return {
    name: n.metadata?.name ?? '', uid: n.metadata?.uid ?? '', ready: ready?.status === 'True',
    message: ready?.status === 'True' ? '' : (ready?.message ?? 'kubelet has not reported yet'),
    addresses: (n.status?.addresses ?? []).filter((a) => a.type === 'InternalIP').map((a) => a.address),
    version: (n.status?.nodeInfo?.kubeletVersion ?? '').replace(/^v/, ''), unschedulable: n.spec?.unschedulable ?? false, labels: n.metadata?.labels ?? {},
    taints: (n.spec?.taints ?? []).map((t) => ({ key: t.key, value: t.value ?? '', effect: t.effect })),
  }; // prettier-ignore
}

/** Ready, phase and the first reason why not, as `kubectl get pods` words it. */
export function podSummary(p: V1Pod): PodSummary {
  const states = [...(p.status?.initContainerStatuses ?? []), ...(p.status?.containerStatuses ?? [])];
  const reason = states.map((s) => s.state?.waiting?.reason ?? s.state?.terminated?.reason).find((r) => r !== undefined && r !== 'Completed');
  const unplaced = p.status?.conditions?.find((c) => c.type === 'PodScheduled' && c.status === 'False')?.message;
  return {
    name: p.metadata?.name ?? '', namespace: p.metadata?.namespace ?? '', node: p.spec?.nodeName ?? null,
    phase: p.metadata?.deletionTimestamp ? 'Terminating' : (p.status?.phase ?? 'Unknown'),
    ready: p.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false,
    restarts: (p.status?.containerStatuses ?? []).reduce((sum, s) => sum + s.restartCount, 0), reason: reason ?? unplaced ?? p.status?.reason ?? '',
  }; // prettier-ignore
}

/** Who asked, and for which name. `subject` reads the certificate request itself: nobody else says what it is for. */
export function signingRequest(r: V1CertificateSigningRequest, subject: (pem: string) => { commonName: string; organizations: string[] }): SigningRequest {
  const pem = Buffer.from(r.spec.request, 'base64').toString('latin1');
  return {
    name: r.metadata?.name ?? '', username: r.spec.username ?? '', signer: r.spec.signerName, ...subject(pem),
    pending: !(r.status?.conditions ?? []).some((c) => c.type === 'Approved' || c.type === 'Denied' || c.type === 'Failed'),
  }; // prettier-ignore
}
