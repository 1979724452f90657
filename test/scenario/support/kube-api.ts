import { createServer, type Server } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Authority } from '@strata/pki';
import type { KubeObject } from '@strata/tasks';
import type { MemoryCluster } from '@strata/tasks/testing';
import { signingRequestPem } from './signing-request';

interface Kind {
  kind: string;
  plural: string;
  namespaced: boolean;
}
const kind = (name: string, plural: string, namespaced = true): Kind => ({ kind: name, plural, namespaced });
/** What there is to be discovered: the kinds that Strata's own objects have. */
const kinds: Readonly<Record<string, readonly Kind[]>> = {
  '/api/v1': [kind('Secret', 'secrets'), kind('ConfigMap', 'configmaps'), kind('ServiceAccount', 'serviceaccounts'), kind('Service', 'services'), kind('Namespace', 'namespaces', false), kind('Node', 'nodes', false), kind('Pod', 'pods')],
  '/apis/apps/v1': [kind('DaemonSet', 'daemonsets'), kind('Deployment', 'deployments')],
  '/apis/rbac.authorization.k8s.io/v1': [kind('ClusterRole', 'clusterroles', false), kind('ClusterRoleBinding', 'clusterrolebindings', false), kind('Role', 'roles'), kind('RoleBinding', 'rolebindings')],
}; // prettier-ignore
const requests = '/apis/certificates.k8s.io/v1/certificatesigningrequests';
interface Answer {
  code: number;
  body: object;
}
const ok = (body: object): Answer => ({ code: 200, body });
const notFound: Answer = { code: 404, body: { kind: 'Status', message: 'not found', code: 404 } };

/** The API of a simulated cluster over real HTTPS, as far as the control server asks: objects, nodes, certificate requests. It answers while `up` says so. */
export class KubeApi {
  private constructor(
    private readonly cluster: MemoryCluster,
    private readonly server: Server,
    /** The fields of a kubeconfig that leads here. */
    readonly access: Readonly<Record<'server' | 'certificate-authority-data' | 'client-certificate-data' | 'client-key-data', string>>,
  ) {}

  static async start(cluster: MemoryCluster, name: string): Promise<KubeApi> {
    const authority = await Authority.create('kubernetes');
    const { certPem, keyPem } = await authority.issueServer({ dns: [name], ip: ['127.0.0.1'] });
    const server = createServer({ cert: certPem, key: keyPem });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    const api = new KubeApi(cluster, server, {
      server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      'certificate-authority-data': base64(authority.certPem),
      'client-certificate-data': base64(certPem),
      'client-key-data': base64(keyPem),
    });
    server.on('request', (request, response) => {
      void api.answer(request).then((answer) => {
        if (!cluster.up()) return request.socket.destroy();
        response.writeHead(answer.code, { 'content-type': 'application/json' }).end(JSON.stringify(answer.body));
      });
    });
    return api;
  }
  /** The kubeconfig of a simulated control plane, made to lead here. */
  leadingHere(kubeconfig: string): string {
    return Object.entries(this.access).reduce((text, [field, value]) => text.replace(new RegExp(`(${field}: )\\S+`), `$1${JSON.stringify(value)}`), kubeconfig);
  }
  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async answer(request: IncomingMessage): Promise<Answer> {
    let text = '';
    for await (const piece of request.setEncoding('utf8') as AsyncIterable<string>) text += piece;
    const path = new URL(request.url ?? '/', 'https://x').pathname;
    const method = request.method ?? 'GET';
    if (!this.cluster.up()) return notFound;
    if (path === '/readyz') return ok({});
    const discovered = kinds[path];
    if (discovered) return ok({ kind: 'APIResourceList', groupVersion: path.replace(/^\/apis?\//, ''), resources: discovered.map((k) => ({ name: k.plural, kind: k.kind, namespaced: k.namespaced, verbs: [] })) }); // prettier-ignore
    const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    if (path.startsWith(requests)) return this.signing(path.slice(requests.length + 1), body);
    if (path === '/api/v1/nodes') return ok({ kind: 'NodeList', items: await this.nodes() });
    const node = /^\/api\/v1\/nodes\/([^/]+)$/.exec(path)?.[1];
    if (node !== undefined) return this.node(node, { method, body });
    if (/^\/api\/v1\/(namespaces\/[^/]+\/)?pods$/.test(path)) return ok({ kind: 'PodList', items: [] });
    return this.object(path, { method, body });
  }
  private async nodes(): Promise<{ metadata: { name: string } }[]> {
    return (await this.cluster.nodes()).map((n) => ({
      kind: 'Node', apiVersion: 'v1', metadata: { name: n.name, uid: n.uid, labels: n.labels }, spec: { taints: n.taints, unschedulable: n.unschedulable },
      status: {
        conditions: [{ type: 'Ready', status: n.ready ? 'True' : 'False', message: n.message }], addresses: n.addresses.map((address) => ({ type: 'InternalIP', address })),
        nodeInfo: { kubeletVersion: `v${n.version}` },
      },
    })); // prettier-ignore
  }
  private async node(name: string, { method, body }: { method: string; body: Record<string, unknown> }): Promise<Answer> {
    const there = (await this.nodes()).find((n) => n.metadata.name === name);
    if (!there) return notFound;
    if (method === 'DELETE') await this.cluster.deleteNode(name);
    if (method === 'PATCH') {
      const { metadata, spec } = body as { metadata?: { labels?: Record<string, string> }; spec?: object };
      await this.cluster.patchNode(name, { labels: metadata?.labels, ...spec });
    }
    return ok(there);
  }
  private async signing(rest: string, body: Record<string, unknown>): Promise<Answer> {
    const list = (await this.cluster.signingRequests()).map((r) => ({
      kind: 'CertificateSigningRequest', apiVersion: 'certificates.k8s.io/v1', metadata: { name: r.name },
      spec: { request: Buffer.from(signingRequestPem(r)).toString('base64'), username: r.username, signerName: r.signer, usages: [] },
      status: { conditions: r.pending ? [] : [{ type: 'Approved', status: 'True' }] },
    })); // prettier-ignore
    if (rest === '') return ok({ kind: 'CertificateSigningRequestList', items: list });
    const [name = '', approval] = rest.split('/');
    const found = list.find((r) => r.metadata.name === name);
    if (!found) return notFound;
    const verdict = (body as { status?: { conditions?: { type: string }[] } }).status?.conditions?.at(-1)?.type;
    if (approval === 'approval' && verdict === 'Approved') await this.cluster.approve(name);
    if (approval === 'approval' && verdict === 'Denied') await this.cluster.deny(name);
    return ok(found);
  }
  private async object(path: string, { method, body }: { method: string; body: Record<string, unknown> }): Promise<Answer> {
    const [, group = '', namespace, plural = '', name = ''] = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)(?:\/namespaces\/([^/]+)(?=\/[^/]+\/))?\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    const known = kinds[group]?.find((k) => k.plural === plural);
    if (!known) return notFound;
    const ref = { apiVersion: group.replace(/^\/apis?\//, ''), kind: known.kind, name, ...(namespace === undefined ? {} : { namespace }) };
    if (method === 'PATCH') await this.cluster.apply([body as unknown as KubeObject]);
    const there = await this.cluster.get(ref);
    if (method === 'DELETE') await this.cluster.delete(ref);
    return there ? ok({ ...there, ...(await this.status(there)) }) : notFound;
  } // prettier-ignore
  /** Rollouts are complete as soon as a node is Ready. */
  private async status(object: KubeObject): Promise<object> {
    const ready = (await this.cluster.nodes()).filter((n) => n.ready).length;
    if (object.kind === 'DaemonSet') return { status: { desiredNumberScheduled: ready, updatedNumberScheduled: ready, numberAvailable: ready } };
    const replicas = (object.spec as { replicas?: number } | undefined)?.replicas ?? 1;
    const there = ready > 0 ? replicas : 0;
    return object.kind === 'Deployment' ? { status: { replicas: there, updatedReplicas: there, availableReplicas: there } } : {};
  }
}
