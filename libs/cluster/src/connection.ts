import {
  ApiException, CertificatesV1Api, type Configuration, CoreV1Api, createConfiguration, HttpMethod, KubeConfig, type Middleware,
  type RequestContext, type SecurityAuthentication, ServerConfiguration, type V1ObjectMeta,
} from '@kubernetes/client-node'; // prettier-ignore
import { TaskError } from '@strata/tasks';
import { PlainObjects } from './plain-objects';

/** No call of the API may take longer, whatever the network does. */
export interface Deadlines {
  callMs: number;
  readyMs: number;
}
const usual: Deadlines = { callMs: 15_000, readyMs: 4_000 };
const deadline = (ms: number): Middleware => ({
  pre: async (context) => {
    context.setSignal(AbortSignal.timeout(ms));
    return context;
  },
  post: async (context) => context,
});
/** The library makes an agent for each call, and with it a connection and a handshake with certificates of both sides. Here all calls share the first one's. */
class KeptConnections implements SecurityAuthentication {
  private dispatcher: ReturnType<RequestContext['getDispatcher']>;

  constructor(private readonly config: KubeConfig) {}
  getName(): string {
    return 'kubeconfig';
  }
  async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await this.config.applySecurityAuthentication(context);
    this.dispatcher ??= context.getDispatcher();
    if (this.dispatcher !== undefined) context.setDispatcher(this.dispatcher);
  }
}

/** The typed and the generic client of one cluster, over kept connections. */
export class Connection {
  readonly core: CoreV1Api;
  readonly certificates: CertificatesV1Api;
  readonly objects: PlainObjects;
  private readonly authentication: SecurityAuthentication;
  private readonly configuration: Configuration;

  /** @param kubeconfig text; its server may be an address with `tls-server-name`. @throws TaskError if it is none. */
  constructor(
    kubeconfig: string,
    private readonly deadlines: Deadlines = usual,
  ) {
    const config = new KubeConfig();
    try {
      config.loadFromString(kubeconfig);
    } catch (cause) {
      throw new TaskError('bad-kubeconfig', 'the kept kubeconfig cannot be read', { remedy: 'retry the step that keeps it', cause });
    }
    const server = config.getCurrentCluster()?.server;
    if (server === undefined) throw new TaskError('bad-kubeconfig', 'the kept kubeconfig names no cluster', { remedy: 'retry the step that keeps it' });
    this.authentication = new KeptConnections(config);
    this.configuration = createConfiguration({
      baseServer: new ServerConfiguration(server, {}),
      authMethods: { default: this.authentication },
      promiseMiddleware: [deadline(deadlines.callMs)],
    });
    this.core = new CoreV1Api(this.configuration);
    this.certificates = new CertificatesV1Api(this.configuration);
    this.objects = new PlainObjects(this.configuration);
  }

  /** Whether GET `path` answers 200 within a few seconds. */
  async answers(path: string): Promise<boolean> {
    return this.raw(path).then(
      ({ status }) => status === 200,
      () => false,
    );
  }
  /** What a service of the cluster answers through the API server; null where the API server finds nobody behind it. @throws TaskError without an API server */
  async throughProxy(path: string): Promise<{ status: number; body: string } | null> {
    const { status, body } = await must(`ask ${path}`, () => this.raw(path));
    const ofTheApi = (parsed(body) as { kind?: string } | null)?.kind === 'Status';
    return ofTheApi && (status === 404 || status === 503) ? null : { status, body };
  }
  /** A list without what its items hold: only who they are, and their labels. @throws TaskError */
  async heads(path: string): Promise<V1ObjectMeta[]> {
    const { status, body } = await must(`ask ${path}`, () => this.raw(path, 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1', this.deadlines.callMs));
    const list = parsed(body) as { items?: { metadata: V1ObjectMeta }[] | null; message?: string } | null;
    if (status === 200 && list !== null) return (list.items ?? []).map((i) => i.metadata); // an empty list has null
    throw new TaskError('cluster-api', `ask ${path}: the API answered ${status}: ${list?.message ?? ''}`, { remedy: 'look at what the API says, then try again', retry: status >= 500 });
  } // prettier-ignore
  private async raw(path: string, accept?: string, ms = this.deadlines.readyMs): Promise<{ status: number; body: string }> {
    const context = this.configuration.baseServer.makeRequestContext(path, HttpMethod.GET);
    if (accept !== undefined) context.setHeaderParam('Accept', accept);
    await this.authentication.applySecurityAuthentication(context);
    context.setSignal(AbortSignal.timeout(ms));
    const response = await this.configuration.httpApi.send(context).toPromise();
    return { status: response.httpStatusCode, body: await response.body.text() };
  }
}

const isCode = (error: unknown, code: number): boolean => error instanceof ApiException && error.code === code;

/** What the library says of a kind that the API does not have. */
const noSuchKind = /^Unrecognized API version and kind/;
/** Calls the API. `null` for "not there", also where there is no such kind. @throws TaskError that says what was tried and what the API answered. */
export async function orNull<T>(what: string, call: () => Promise<T>): Promise<T | null> {
  try {
    return await call();
  } catch (error) {
    if (isCode(error, 404) || (error instanceof Error && noSuchKind.test(error.message))) return null;
    throw failed(what, error);
  }
}
/** Calls the API. @throws TaskError, also for "not there". */
export async function must<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw failed(what, error);
  }
}
export const isConflict = (error: unknown): boolean => error instanceof TaskError && (isCode(error.cause, 409) || isCode(error.cause, 429));
export const isGone = (error: unknown): boolean => error instanceof TaskError && isCode(error.cause, 404);

function failed(what: string, error: unknown): TaskError {
  if (error instanceof ApiException) {
    const words = messageOf(error);
    return new TaskError('cluster-api', `${what}: the API answered ${error.code}: ${words}`, {
      remedy: error.code === 401 || error.code === 403 ? 'the kept kubeconfig may not do this: keep it anew' : 'look at what the API says, then retry the step',
      retry: error.code >= 500 || error.code === 429 || error.code === 409,
      cause: error,
    });
  }
  return new TaskError('cluster-unreachable', `${what}: the API of the cluster does not answer: ${error instanceof Error ? error.message : String(error)}`, {
    remedy: 'see that the control plane is up and that this host reaches its port 6443, then retry the step',
    retry: true,
    cause: error,
  });
}
function messageOf(error: ApiException<unknown>): string {
  const body = typeof error.body === 'string' ? parsed(error.body) : error.body;
  const message = (body as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : (error.message.split('\n')[0] ?? '');
}
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
