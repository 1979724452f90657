import { type ApiClient, ConnectionError } from '@strata/api-client';
import { exitCodes, type PodNews, type PodsView, type PodView } from '@strata/model';
import { CliError } from '../cli-error';
import type { Cli } from '../commands/cli';
import { podLine, podsTable, podsText, staleness, wrongIn } from '../output/pods-text';
import { printable } from '../terminal';
import { brokenLine, brokenLineJson, type LineNews } from './broken-line';
import { liveFrame } from './live-frame';

export interface PodsWish {
  cluster: string;
  wanted: (pod: PodView) => boolean;
  /** A word of the stream a line on standard output, as JSON. */
  json: boolean;
}
const frameEveryMs = 500;
const { compare } = new Intl.Collator();

/**
 * Shows pods as they change: a table that is painted again on a terminal, else the table once and then a line for each change. It never ends by itself.
 * @throws CliError when left (130); ApiError
 */
export async function watchPods(client: ApiClient, { cluster, wanted, json }: PodsWish, cli: Cli): Promise<never> {
  const left = new AbortController();
  const leave = (): void => left.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, leave);
  const screen = json ? jsonScreen(cli) : cli.terminal.live ? liveScreen(cli) : lineScreen(cli);
  const picture = new PodPicture(wanted);
  try {
    const onReconnect = (why: string, attempt: number, inMs: number): void => screen.note(attempt, why, inMs);
    for await (const news of client.followPods(cluster, { signal: left.signal, onReconnect, onConnected: () => screen.back() }))
      for (const change of picture.take(news)) screen.told(change, picture);
    throw new Error('a stream of pods does not end');
  } catch (error) {
    if (left.signal.aborted && error instanceof ConnectionError) throw new CliError('left; the pods go on', { exitCode: exitCodes.interrupted });
    throw error;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, leave);
    screen.end();
  }
}

/** A word of the stream. `still`: the pod is there, but not among those that are wanted any more. */
type Change = PodNews & { still?: PodView };
/** The pods that are wanted, kept by the words of the stream. */
export class PodPicture {
  private readonly pods = new Map<string, PodView>();
  private head: Omit<PodsView, 'pods'> = { cluster: '', heardAt: 0, behind: null };

  constructor(private readonly wanted: (pod: PodView) => boolean) {}

  get view(): PodsView {
    return { ...this.head, pods: [...this.pods.values()].sort((a, b) => compare(keyOf(a), keyOf(b))) };
  }
  /** Gives what of it is of those that are wanted. */
  take(news: PodNews): Change[] {
    if (news.event === 'state') {
      this.head = { ...this.head, ...news.data };
      return [news];
    }
    if (news.event === 'pods') {
      const { pods, ...head } = news.data;
      this.head = head;
      this.pods.clear();
      for (const p of pods.filter(this.wanted)) this.pods.set(keyOf(p), p);
      return [{ event: 'pods', data: this.view }];
    }
    const key = keyOf(news.data);
    if (news.event === 'pod' && this.wanted(news.data)) {
      this.pods.set(key, news.data);
      return [news];
    }
    if (!this.pods.delete(key)) return [];
    const { namespace, name } = news.data;
    return [{ event: 'gone', data: { namespace, name }, ...(news.event === 'pod' ? { still: news.data } : {}) }];
  }
}
const keyOf = ({ namespace, name }: { namespace: string; name: string }): string => `${namespace}/${name}`;

interface Screen extends LineNews {
  told(change: Change, picture: PodPicture): void;
  end(): void;
}
const jsonScreen = ({ terminal }: Cli): Screen => ({
  ...brokenLineJson(terminal),
  told: ({ event, data }) => terminal.out(JSON.stringify({ event, data })),
  end: () => undefined,
});

/** What a pod uses changes all the time, and is no line. */
function lineScreen(cli: Cli): Screen {
  const { terminal } = cli;
  let lines: Map<string, string> | null = null;
  const say = (words: string): void => terminal.out(`${new Date(cli.now()).toISOString().slice(11, 19)}  ${words}`);
  const sayPod = (known: Map<string, string>, pod: PodView): void => {
    const line = podLine(pod);
    if (known.get(keyOf(pod)) !== line) say(line);
    known.set(keyOf(pod), line);
  };
  const sayGone = (known: Map<string, string>, key: string): void => {
    known.delete(key);
    say(`${key}: gone`);
  };
  return {
    ...brokenLine(terminal),
    told: ({ event, data, still }, picture) => {
      if (lines === null) {
        const { view } = picture;
        lines = new Map(view.pods.map((p) => [keyOf(p), podLine(p)]));
        return terminal.out(podsText(view, cli.now()));
      }
      if (event === 'state') return say(data.behind === null ? 'as of now again' : `not of now any more: ${data.behind}`);
      if (event === 'pod') return sayPod(lines, data);
      if (event === 'pods') {
        const there = new Set(data.pods.map(keyOf));
        for (const key of [...lines.keys()]) if (!there.has(key)) sayGone(lines, key);
        for (const pod of data.pods) sayPod(lines, pod);
        return;
      }
      if (still === undefined) return sayGone(lines, keyOf(data));
      sayPod(lines, still);
      lines.delete(keyOf(still));
    },
    end: () => undefined,
  };
}

function liveScreen(cli: Cli): Screen {
  const { terminal } = cli;
  const frame = liveFrame();
  let seen: PodPicture | null = null;
  let broken = '';
  const draw = (): void => {
    if (seen !== null && terminal.size.rows > 0) frame.show(podsFrame(seen.view, { now: cli.now(), ...terminal.size, broken }));
  };
  const timer = setInterval(draw, frameEveryMs);
  return {
    told: (_, picture) => void (seen = picture),
    note: (attempt, why) => void (broken = attempt < 2 ? '' : `the server does not answer (${why}); trying again`),
    back: () => void (broken = ''),
    end: () => {
      clearInterval(timer);
      draw();
      frame.done();
    },
  };
}
/** The table as far as a terminal has room for it: those that something is wrong with come first where not all do. */
export function podsFrame(view: PodsView, at: { now: number; columns: number; rows: number; broken: string }): string {
  const notes = [...staleness(view, at.now), ...(at.broken === '' ? [] : [at.broken])];
  const wrong = wrongIn(view.pods);
  const room = Math.max(2, at.rows - 1 - notes.length);
  const all = view.pods.length + 1 + wrong.length <= room;
  const pods = all ? view.pods : [...view.pods].sort((a, b) => Number(a.trouble === null) - Number(b.trouble === null));
  const lines = [...podsTable(pods, at.now).split('\n'), ...(all ? wrong : [])];
  const left = lines.length <= room ? [] : [`… and ${lines.length - room + 1} pods more (--namespace, --node and --troubled show fewer)`];
  const shown = [...lines.slice(0, room - left.length), ...left, ...notes];
  return shown.map((l) => printable(l).slice(0, at.columns)).join('\n');
}
