import { randomUUID } from 'node:crypto';
import {
  type AddNodeBody,
  AppLogLine,
  type AppLogQuery,
  type AppRef,
  type ApplyClusterBody,
  AppsView,
  Artifact,
  AvailableApps,
  ClusterView,
  Diagnosis,
  EvidenceSet,
  JoinCommand,
  type LookAtMachines,
  MachinesSeen,
  NodeChanges,
  NodeAdded,
  NodeView,
  PodsView,
  Problem,
  RunDetails,
  type RunEvent,
  type RunIntent,
  RunPage,
  RunStarted,
  ServerVersion,
  StepLog,
  StorageStatus,
} from '@strata/model';
import { z } from 'zod';
import { ApiError, ConnectionError, UnexpectedAnswer } from './api-error';
import { type FeedOptions, followEvents, silenceMs } from './run-feed';
import { type ApiAnswer, type ApiRequest, linesOf, textOf, type Transport } from './transport';

export interface ClientOptions {
  token: string;
  /** How long an answer may take (ms). */
  timeoutMs?: number;
  /** For how long a server that is just restarting is tried again (ms). */
  patienceMs?: number;
  signal?: AbortSignal;
}
interface Call<T> {
  method: ApiRequest['method'];
  path: string;
  body?: unknown;
  answer: z.ZodType<T>;
  /** When the answer takes longer than others do (ms). */
  timeoutMs?: number;
}
const nothing = z.unknown().transform(() => undefined);
const at = (strings: TemplateStringsArray, ...values: string[]): string =>
  strings.reduce((path, s, i) => path + s + (i < values.length ? encodeURIComponent(values[i]!) : ''), '');

/**
 * The control server's API, typed. Every answer is parsed; every POST carries an Idempotency-Key, so that trying again does nothing twice.
 * Each call throws ApiError when the server says no, ConnectionError when no answer comes, UnexpectedAnswer when it is not the API that answers.
 */
export class ApiClient {
  constructor(
    private readonly transport: Transport,
    private readonly options: ClientOptions,
  ) {}

  close(): void {
    this.transport.close();
  }
  /** Whether the server can take work now, and if not why. */
  async ready(): Promise<{ ready: boolean; text: string }> {
    const answer = await this.transport.send({ method: 'GET', path: '/readyz', timeoutMs: this.timeoutMs, signal: this.options.signal });
    return { ready: answer.status === 200, text: await textOf(answer) };
  }
  version(): Promise<ServerVersion> {
    return this.get('/v1/version', ServerVersion);
  }

  applyCluster(body: ApplyClusterBody): Promise<ClusterView> {
    return this.call({ method: 'POST', path: '/v1/clusters', body, answer: ClusterView });
  }
  clusters(): Promise<ClusterView[]> {
    return this.get('/v1/clusters', z.array(ClusterView));
  }
  cluster(idOrName: string): Promise<ClusterView> {
    return this.get(at`/v1/clusters/${idOrName}`, ClusterView);
  }
  /** Forgets a cluster; with `force` also one that still has nodes. */
  deleteCluster(idOrName: string, force = false): Promise<void> {
    return this.call({ method: 'DELETE', path: at`/v1/clusters/${idOrName}` + (force ? '?force=true' : ''), answer: nothing });
  }
  /** `draft`: for a dry run of a spec that the server does not keep. */
  startRun(cluster: string, intent: RunIntent, draft?: ApplyClusterBody): Promise<RunStarted> {
    return this.call({ method: 'POST', path: at`/v1/clusters/${cluster}/runs`, body: { intent, ...(draft && { draft }) }, answer: RunStarted });
  }
  /** The admin kubeconfig, YAML. */
  kubeconfig(cluster: string): Promise<string> {
    return this.text({ method: 'GET', path: at`/v1/clusters/${cluster}/kubeconfig` });
  }

  nodes(cluster: string): Promise<NodeView[]> {
    return this.get(at`/v1/clusters/${cluster}/nodes`, z.array(NodeView));
  }
  node(cluster: string, name: string): Promise<NodeView> {
    return this.get(at`/v1/clusters/${cluster}/nodes/${name}`, NodeView);
  }
  addNode(cluster: string, body: AddNodeBody): Promise<NodeAdded> {
    return this.call({ method: 'POST', path: at`/v1/clusters/${cluster}/nodes`, body, answer: NodeAdded });
  }
  removeNode(cluster: string, name: string, force = false): Promise<RunStarted> {
    return this.call({ method: 'DELETE', path: at`/v1/clusters/${cluster}/nodes/${name}` + (force ? '?force=true' : ''), answer: RunStarted });
  }
  joinCommand(cluster: string, name: string): Promise<JoinCommand> {
    return this.call({ method: 'POST', path: at`/v1/clusters/${cluster}/nodes/${name}/join-command`, answer: JoinCommand });
  }

  /** What machines are that belong to no cluster yet. Nothing is kept, nothing there is changed. */
  lookAtMachines(body: LookAtMachines): Promise<MachinesSeen> {
    return this.call({ method: 'POST', path: '/v1/machines/look', body, answer: MachinesSeen, timeoutMs: 300_000 });
  }
  /** What is wrong with the control host, as its own server sees it. */
  examineControlHost(): Promise<Diagnosis> {
    return this.get('/v1/doctor', Diagnosis);
  }
  /** Every pod of a cluster, as the server's watch has them. */
  pods(cluster: string): Promise<PodsView> {
    return this.call({ method: 'GET', path: at`/v1/clusters/${cluster}/pods`, answer: PodsView, timeoutMs: 60_000 });
  }
  /** The applications of a cluster, as the cluster itself tells. */
  apps(cluster: string): Promise<AppsView> {
    return this.call({ method: 'GET', path: at`/v1/clusters/${cluster}/apps`, answer: AppsView, timeoutMs: 60_000 });
  }
  /** What the containers of an application say, line by line; with `follow` until the loop is left. */
  async *appLogs(cluster: string, { namespace, name }: AppRef, query: AppLogQuery = {}): AsyncGenerator<AppLogLine> {
    const wish = new URLSearchParams(Object.entries(query).flatMap(([k, v]): [string, string][] => (v === undefined ? [] : [[k, String(v)]])));
    const path = `${at`/v1/clusters/${cluster}/apps/${namespace}/${name}/logs`}?${wish.toString()}`;
    const answer = await this.transport.send({ method: 'GET', path, headers: this.headers, timeoutMs: silenceMs, signal: this.options.signal });
    if (answer.status !== 200) throw await refusal(answer, `GET ${path}`);
    for await (const line of linesOf(answer)) if (line !== '') yield AppLogLine.parse(jsonOf(line, `GET ${path}`));
  }
  /** What could be installed from the server's bundles. */
  availableApps(): Promise<AvailableApps> {
    return this.get('/v1/available-apps', AvailableApps);
  }
  /** The storage of a cluster as its nodes see it now. */
  storage(cluster: string): Promise<StorageStatus> {
    return this.call({ method: 'GET', path: at`/v1/clusters/${cluster}/storage`, answer: StorageStatus, timeoutMs: 60_000 });
  }
  /** What is wrong with the nodes of a cluster, or with one of them: the root cause first. */
  examineNodes(cluster: string, node?: string): Promise<Diagnosis> {
    return this.get(at`/v1/clusters/${cluster}/doctor` + (node === undefined ? '' : at`?node=${node}`), Diagnosis);
  }

  /** Everything on a node that Strata owns, with what was there before. */
  changes(cluster: string, name: string): Promise<NodeChanges> {
    return this.get(at`/v1/clusters/${cluster}/nodes/${name}/changes`, NodeChanges);
  }
  /** What the control host gives to a support archive. */
  gatherControlHost(): Promise<EvidenceSet> {
    return this.get('/v1/support', EvidenceSet);
  }
  /** What a node gives to a support archive. */
  gatherNode(cluster: string, name: string): Promise<EvidenceSet> {
    return this.get(at`/v1/clusters/${cluster}/nodes/${name}/evidence`, EvidenceSet);
  }

  /** Newest first. */
  runs(filter: { cluster?: string; cursor?: string; limit?: number } = {}): Promise<RunPage> {
    const query = new URLSearchParams(Object.entries(filter).flatMap(([k, v]): [string, string][] => (v === undefined ? [] : [[k, String(v)]])));
    return this.get(`/v1/runs${query.size > 0 ? `?${query.toString()}` : ''}`, RunPage);
  }
  run(id: string): Promise<RunDetails> {
    return this.get(at`/v1/runs/${id}`, RunDetails);
  }
  cancelRun(id: string): Promise<void> {
    return this.call({ method: 'POST', path: at`/v1/runs/${id}/cancel`, answer: nothing });
  }
  resumeRun(id: string): Promise<void> {
    return this.call({ method: 'POST', path: at`/v1/runs/${id}/resume`, answer: nothing });
  }
  retryStep(id: string, step: string): Promise<void> {
    return this.call({ method: 'POST', path: at`/v1/runs/${id}/steps/${step}/retry`, answer: nothing });
  }
  stepLog(id: string, step: string, after?: string): Promise<StepLog> {
    return this.get(at`/v1/runs/${id}/steps/${step}/logs` + (after === undefined ? '' : at`?after=${after}`), StepLog);
  }
  /** The events of a run, from its first or from after a sequence, until it has ended. */
  follow(id: string, options: FeedOptions = {}): AsyncGenerator<RunEvent> {
    return followEvents(
      this.transport,
      { path: at`/v1/runs/${id}/events`, headers: this.headers, refused: refusal },
      { signal: this.options.signal, ...options },
    );
  }

  /** What the server has in its store under this name and version. */
  artifact(name: string, version: string): Promise<Artifact> {
    return this.get(at`/v1/artifacts/${name}/${version}`, Artifact);
  }
  /** The bytes of an artifact that is one file. Whoever takes them verifies their sha256. */
  async *artifactContent(name: string, version: string): AsyncGenerator<Uint8Array> {
    const path = at`/v1/artifacts/${name}/${version}/content`;
    const answer = await this.transport.send({ method: 'GET', path, headers: this.headers, timeoutMs: this.timeoutMs, signal: this.options.signal });
    if (answer.status !== 200) throw await refusal(answer, `GET ${path}`);
    yield* answer.body;
  }

  private get timeoutMs(): number {
    return this.options.timeoutMs ?? 30_000;
  }
  private get headers(): Record<string, string> {
    return { authorization: `Bearer ${this.options.token}` };
  }
  private get<T>(path: string, answer: z.ZodType<T>): Promise<T> {
    return this.call({ method: 'GET', path, answer });
  }
  private async call<T>(call: Call<T>): Promise<T> {
    const text = await this.text(call);
    const what = `${call.method} ${call.path}`;
    const parsed = call.answer.safeParse(text === '' ? undefined : jsonOf(text, what));
    if (!parsed.success) throw new UnexpectedAnswer(`${what}: the answer is not what was expected: ${z.prettifyError(parsed.error)}`, { cause: parsed.error });
    return parsed.data;
  }
  private async text(call: Pick<Call<unknown>, 'method' | 'path' | 'body' | 'timeoutMs'>): Promise<string> {
    const { method, path } = call;
    const headers = { ...this.headers, ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID() }) };
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const until = performance.now() + (this.options.patienceMs ?? 3_000);
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
      try {
        const answer = await this.transport.send({ method, path, headers, body, timeoutMs: call.timeoutMs ?? this.timeoutMs, signal: this.options.signal });
        if (answer.status >= 400) throw await refusal(answer, `${method} ${path}`);
        return await textOf(answer);
      } catch (error) {
        const again = error instanceof ConnectionError && (error.reason === 'refused' || error.reason === 'lost');
        if (!again || performance.now() + pauseMs > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }
}

function jsonOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnexpectedAnswer(`${what}: the answer is not JSON: ${text.slice(0, 80)}`, { cause });
  }
}
/** What a refusing answer says. */
async function refusal(answer: ApiAnswer, what: string): Promise<Error> {
  const text = await textOf(answer);
  try {
    return new ApiError(Problem.parse(JSON.parse(text)), what);
  } catch (cause) {
    return new UnexpectedAnswer(`${what}: status ${answer.status} without a reason that can be read: ${text.slice(0, 120)}`, { cause });
  }
}
