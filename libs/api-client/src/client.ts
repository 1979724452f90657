import {
  AccountSetUp,
  AccountView,
  type AddNodeBody,
  AppLogLine,
  type AppLogQuery,
  type AppRef,
  type ApplyClusterBody,
  AppsView,
  Artifact,
  AvailableApps,
  BundleFileMaking,
  BundleFilePushed,
  BundleFileTaken,
  BundleTrust,
  ClusterHealth,
  ClusterView,
  type CreateBundleFile,
  Diagnosis,
  EvidenceSet,
  ImagesView,
  Invitation,
  type InviteAccount,
  JoinCommand,
  type LookAtMachines,
  MachinesSeen,
  NodeChanges,
  NodeAdded,
  NodeView,
  PodEventsView,
  type PodNews,
  type PodRef,
  PodsView,
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
import { ApiCalls, jsonOf, parsedAs, refusal } from './calls';
import { type Reconnecting, silenceMs } from './message-feed';
import { followPods } from './pod-feed';
import { type FeedOptions, followEvents } from './run-feed';
import { linesOf, textOf } from './transport';

const nothing = z.unknown().transform(() => undefined);
const at = (strings: TemplateStringsArray, ...values: string[]): string =>
  strings.reduce((path, s, i) => path + s + (i < values.length ? encodeURIComponent(values[i]!) : ''), '');

/**
 * The control server's API, typed. Every answer is parsed; every POST carries an Idempotency-Key, so that trying again does nothing twice.
 * Each call throws ApiError when the server says no, ConnectionError when no answer comes, UnexpectedAnswer when it is not the API that answers.
 */
export class ApiClient extends ApiCalls {
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
  /** Its three layers: machines, Kubernetes, and each component of its bundles with its gates. Takes up to 20 s where something does not answer. */
  health(cluster: string): Promise<ClusterHealth> {
    return this.call({ method: 'GET', path: at`/v1/clusters/${cluster}/health`, answer: ClusterHealth, timeoutMs: 90_000 });
  }
  /** The images of each node, as its agent sees them now. */
  images(cluster: string): Promise<ImagesView> {
    return this.call({ method: 'GET', path: at`/v1/clusters/${cluster}/images`, answer: ImagesView, timeoutMs: 120_000 });
  }
  /** Every pod of a cluster, as the server's watch has them. */
  pods(cluster: string): Promise<PodsView> {
    return this.call({ method: 'GET', path: at`/v1/clusters/${cluster}/pods`, answer: PodsView, timeoutMs: 60_000 });
  }
  /** The same as it changes: all pods first. It goes on until the loop is left, or the signal. */
  followPods(cluster: string, options: Reconnecting = {}): AsyncGenerator<PodNews> {
    const feed = { path: at`/v1/clusters/${cluster}/pods/stream`, headers: this.headers, refused: refusal };
    return followPods(this.transport, feed, { signal: this.options.signal, ...options });
  }
  /** What Kubernetes tells of a pod, the newest last. */
  podEvents(cluster: string, { namespace, name }: PodRef): Promise<PodEventsView> {
    return this.call({ method: 'GET', path: at`/v1/clusters/${cluster}/pods/${namespace}/${name}/events`, answer: PodEventsView, timeoutMs: 60_000 });
  }
  /** What the containers of a pod say, line by line; with `follow` until the loop is left, or the pod is over. */
  podLogs(cluster: string, { namespace, name }: PodRef, query: AppLogQuery = {}): AsyncGenerator<AppLogLine> {
    return this.logs(at`/v1/clusters/${cluster}/pods/${namespace}/${name}/logs`, query);
  }
  /** The applications of a cluster, as the cluster itself tells. */
  apps(cluster: string): Promise<AppsView> {
    return this.call({ method: 'GET', path: at`/v1/clusters/${cluster}/apps`, answer: AppsView, timeoutMs: 60_000 });
  }
  /** What the containers of an application say, line by line; with `follow` until the loop is left. */
  appLogs(cluster: string, { namespace, name }: AppRef, query: AppLogQuery = {}): AsyncGenerator<AppLogLine> {
    return this.logs(at`/v1/clusters/${cluster}/apps/${namespace}/${name}/logs`, query);
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
    yield* (await this.bytes(at`/v1/artifacts/${name}/${version}/content`)).body;
  }

  /** Who may use the server, and who is invited. */
  accounts(): Promise<AccountView[]> {
    return this.get('/v1/accounts', z.array(AccountView));
  }
  inviteAccount(body: InviteAccount): Promise<Invitation> {
    return this.call({ method: 'POST', path: '/v1/accounts', body, answer: Invitation });
  }
  removeAccount(name: string): Promise<void> {
    return this.call({ method: 'DELETE', path: at`/v1/accounts/${name}`, answer: nothing });
  }
  /** Spends a one-time link; needs no token. */
  setUpAccount(code: string): Promise<AccountSetUp> {
    return this.call({ method: 'POST', path: '/v1/setup', body: { code }, answer: AccountSetUp });
  }

  /** Whose bundle files the server takes. */
  bundleKeys(): Promise<BundleTrust> {
    return this.get('/v1/bundle-keys', BundleTrust);
  }
  trustBundleKey(fingerprint: string): Promise<BundleTrust> {
    return this.call({ method: 'POST', path: '/v1/bundle-keys', body: { fingerprint }, answer: BundleTrust });
  }
  untrustBundleKey(fingerprint: string): Promise<BundleTrust> {
    return this.call({ method: 'DELETE', path: at`/v1/bundle-keys/${fingerprint}`, answer: BundleTrust });
  }
  /** The bundle files that the server has taken. */
  bundleFiles(): Promise<BundleFileTaken[]> {
    return this.get('/v1/bundle-files', z.array(BundleFileTaken));
  }
  /** Begins to make one; `bundleFileMaking` says how far it is, `bundleFileContent` gives its bytes. */
  createBundleFile(body: CreateBundleFile): Promise<BundleFileMaking> {
    return this.call({ method: 'POST', path: '/v1/bundle-files/made', body, answer: BundleFileMaking });
  }
  bundleFileMaking(id: string): Promise<BundleFileMaking> {
    return this.get(at`/v1/bundle-files/made/${id}`, BundleFileMaking);
  }
  async *bundleFileContent(id: string): AsyncGenerator<Uint8Array> {
    yield* (await this.bytes(at`/v1/bundle-files/made/${id}/content`)).body;
  }
  /** Sends a bundle file. Not tried again by itself: a file that was taken is taken once more without harm. */
  async pushBundleFile(stream: { pieces: AsyncIterable<Uint8Array>; size: number }): Promise<BundleFilePushed> {
    const [path, what] = ['/v1/bundle-files', 'POST /v1/bundle-files'];
    const answer = await this.transport.send({ method: 'POST', path, headers: this.headers, stream, timeoutMs: 600_000, signal: this.options.signal });
    if (answer.status >= 400) throw await refusal(answer, what);
    return parsedAs(BundleFilePushed, await textOf(answer), what);
  }

  private async *logs(path: string, query: AppLogQuery): AsyncGenerator<AppLogLine> {
    const wish = new URLSearchParams(
      Object.entries(query).flatMap(([k, v]): [string, string][] => (v === undefined ? [] : [[k, typeof v === 'string' ? v : JSON.stringify(v)]])),
    );
    const whole = `${path}?${wish.toString()}`;
    const answer = await this.transport.send({ method: 'GET', path: whole, headers: this.headers, timeoutMs: silenceMs, signal: this.options.signal });
    if (answer.status !== 200) throw await refusal(answer, `GET ${whole}`);
    for await (const line of linesOf(answer)) if (line !== '') yield AppLogLine.parse(jsonOf(line, `GET ${whole}`));
  }
}
