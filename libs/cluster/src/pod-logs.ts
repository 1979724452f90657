import type { IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import { createInterface } from 'node:readline';
import { KubeConfig, type V1Pod } from '@kubernetes/client-node';
import { TaskError } from '@strata/tasks';
import { Connection, must, orNull } from './connection';
import { noPod } from './pod-events';
import { workloadOf } from './pod-view';
import { ReleaseBook } from './release-book';

/** Which lines. `tail`: of each container; `sinceSeconds`: not older than that. */
export interface LogWish {
  follow: boolean;
  previous: boolean;
  container?: string | undefined;
  sinceSeconds?: number | undefined;
  tail: number;
}
export interface LogLine {
  pod: string;
  /** Null: it is a word of ours about the pod. */
  container: string | null;
  text: string;
}
/** Whose lines: those of all pods of an application, or of one pod. */
export type LogsOf = { of: 'app' | 'pod'; namespace: string; name: string };
/** The pods that are meant, as they are now. `over`: there will be no more to say. `none`: why there are none. */
interface Meant {
  pods: V1Pod[];
  over: boolean;
  none: string;
}
interface Source {
  key: string; // of one life of a container
  pod: string;
  container: string;
}
const mostSources = 40;
const longestLine = 16 * 1024;
const mostBytes = 1024 * 1024; // of a container that is not followed
const lookEveryMs = 2_000;
const answerMs = 15_000;

/** What the containers of a release, or of a pod, say. */
export class PodLogs {
  private readonly connection: Connection;
  private readonly config = new KubeConfig();

  constructor(private readonly kubeconfig: string) {
    this.connection = new Connection(kubeconfig);
    this.config.loadFromString(kubeconfig);
  }

  /**
   * Gives line after line to `line`, and goes on only when that has resolved: a slow reader slows the reading, and nothing piles up. With `follow` also what
   * new pods and new lives of containers say, until the signal or the end of the pod; else it resolves when all is said.
   * @throws TaskError `no-app`, `no-pod`, `no-container`
   */
  async read(whose: LogsOf, wish: LogWish, { line, signal }: { line: (l: LogLine) => Promise<void>; signal: AbortSignal }): Promise<void> {
    const { namespace, name } = whose;
    const look = whose.of === 'app' ? await this.ofRelease(whose) : await this.ofPod(whose);
    const reading = new Map<string, Promise<void>>();
    let first = true;
    while (!signal.aborted) {
      const { pods, over, none } = await look();
      const all = pods.flatMap((p) => sourcesOf(p, wish));
      if (first && all.length === 0 && wish.container !== undefined && pods.length > 0 && !pods.flatMap(containersOf).includes(wish.container))
        throw new TaskError('no-container', `no pod of ${name} has a container "${wish.container}"`, { remedy: `name one of: ${[...new Set(pods.flatMap(containersOf))].join(', ')}` });
      const left = Math.max(0, mostSources - [...reading.keys()].filter((k) => all.some((s) => s.key === k)).length);
      const fresh = all.filter((s) => !reading.has(s.key));
      for (const source of fresh.slice(0, left)) reading.set(source.key, this.one(namespace, source, { wish: first ? wish : { ...wish, tail: 0, sinceSeconds: undefined }, line, signal }));
      if (first && fresh.length > left) await line({ pod: name, container: null, text: `${fresh.length - left} containers more are left out: name one with --container` });
      if (all.length === 0 && (first || over)) await line({ pod: name, container: null, text: pods.length === 0 ? none : 'none of its containers has begun' });
      first = false;
      if (!wish.follow || over) break;
      await pause(lookEveryMs, signal);
    }
    await Promise.all(reading.values());
  } // prettier-ignore

  private async ofRelease(of: LogsOf): Promise<() => Promise<Meant>> {
    const [release] = await new ReleaseBook(this.kubeconfig).look(of);
    if (!release) throw new TaskError('no-app', `there is no application ${of.name} in ${of.namespace}`, { remedy: 'see which there are: strata app list' });
    const workloads = new Set(release.workloads.map((w) => `${w.kind} ${w.name}`));
    const none = release.workloads.some((w) => w.stoppedAt !== null) ? 'it is stopped, and has no pods' : 'it has no pods';
    return async () => {
      const { items } = await must('list the pods', () => this.connection.core.listNamespacedPod({ namespace: of.namespace }));
      return { pods: items.filter((p) => isOf(p, workloads, of.name)), over: false, none };
    };
  } // prettier-ignore
  private async ofPod(of: LogsOf): Promise<() => Promise<Meant>> {
    const ask = (): Promise<V1Pod | null> => orNull(`ask for the pod ${of.name}`, () => this.connection.core.readNamespacedPod({ namespace: of.namespace, name: of.name }));
    if ((await ask()) === null) throw noPod(of);
    return async () => {
      const pod = await ask();
      const ended = pod?.status?.phase === 'Succeeded' || pod?.status?.phase === 'Failed';
      return { pods: pod === null ? [] : [pod], over: pod === null || ended, none: 'it is gone' };
    };
  } // prettier-ignore

  /** One life of one container; what goes wrong with it is told in its place, and ends nothing else. */
  private async one(namespace: string, { pod, container }: Source, how: { wish: LogWish; line: (l: LogLine) => Promise<void>; signal: AbortSignal }): Promise<void> {
    const { wish, line, signal } = how;
    const query = new URLSearchParams({ container, follow: String(wish.follow && !wish.previous), previous: String(wish.previous) });
    if (wish.sinceSeconds !== undefined) query.set('sinceSeconds', String(wish.sinceSeconds));
    if (wish.tail > 0) query.set('tailLines', String(wish.tail));
    if (!wish.follow) query.set('limitBytes', String(mostBytes));
    try {
      const answer = await this.open(`/api/v1/namespaces/${namespace}/pods/${pod}/log?${query.toString()}`, signal);
      if (answer.statusCode !== 200) {
        answer.resume();
        return await line({ pod, container: null, text: wish.previous ? `${container} had no life before this one, or it is not kept` : `${container} says nothing yet (the API answered ${answer.statusCode ?? 0})` });
      }
      for await (const text of createInterface({ input: answer, crlfDelay: Infinity })) {
        if (signal.aborted) return;
        await line({ pod, container, text: text.length > longestLine ? `${text.slice(0, longestLine)}…` : text });
      }
    } catch (error) {
      if (!signal.aborted) await line({ pod, container: null, text: `${container} cannot be read further: ${error instanceof Error ? error.message : String(error)}` });
    }
  } // prettier-ignore

  private async open(path: string, signal: AbortSignal): Promise<IncomingMessage> {
    const options: RequestOptions = { method: 'GET', headers: {}, signal };
    await this.config.applyToHTTPSOptions(options);
    return new Promise((resolve, reject) => {
      const asked = request(new URL(path, this.config.getCurrentCluster()?.server), options, (answer) => {
        asked.setTimeout(0);
        resolve(answer);
      });
      asked.setTimeout(answerMs, () => asked.destroy(new Error(`the API did not answer within ${answerMs / 1000} s`)));
      asked.once('error', reject);
      asked.end();
    });
  }
}

function isOf(pod: V1Pod, workloads: ReadonlySet<string>, release: string): boolean {
  const of = workloadOf(pod);
  if (of === null) return false;
  if (workloads.has(`${of.kind} ${of.name}`) || pod.metadata?.labels?.['app.kubernetes.io/instance'] === release) return true;
  return of.kind === 'Job' && workloads.has(`CronJob ${of.name.replace(/-\d+$/, '')}`);
}
const containersOf = (pod: V1Pod): string[] => [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map((c) => c.name);
/** The lives of containers that have begun; those that prepare a pod only by name. */
function sourcesOf(pod: V1Pod, { container }: LogWish): Source[] {
  const { name = '', uid = '' } = pod.metadata ?? {};
  const all = [...(container === undefined ? [] : (pod.status?.initContainerStatuses ?? [])), ...(pod.status?.containerStatuses ?? [])];
  const begun = all.filter((s) => (container === undefined || s.name === container) && (s.state?.running || s.state?.terminated || s.restartCount > 0));
  return begun.map((s) => ({ key: `${uid}/${s.name}/${s.restartCount}`, pod: name, container: s.name }));
}
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', over);
      resolve();
    };
    const timer = setTimeout(over, ms);
    signal.addEventListener('abort', over, { once: true });
    if (signal.aborted) over();
  });
}
