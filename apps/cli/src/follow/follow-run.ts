import { ApiError, type ApiClient, ConnectionError } from '@strata/api-client';
import { exitCodes, type RunEvent, type RunResult, type Wait } from '@strata/model';
import {
  advanceView,
  emptyView,
  estimate,
  firstWaits,
  renderLine,
  renderTree,
  runningText,
  type RunView,
  span,
  type Tone,
  underWay,
  waitText,
} from '@strata/run';
import { createColors } from 'picocolors';
import { CliError, type ExitCode } from '../cli-error';
import { printable, type Terminal } from '../terminal';
import { brokenLine, brokenLineJson, type LineNews } from './broken-line';
import { endSummary } from './end-summary';
import { liveFrame } from './live-frame';

export interface Followed {
  exitCode: ExitCode;
  view: RunView;
}
export interface FollowOptions {
  /** One JSON object a line on standard output instead of words. */
  json: boolean;
  /** Leave, and exit 124, when it is not over by then. */
  timeoutMs?: number | undefined;
  /** What the run is doing, in which words the end is told; false: nothing at all is printed. */
  quiet?: boolean;
  /** Sees each event after the view has it. */
  onEvent?: (event: RunEvent) => void;
}
const waitsEveryMs = 2_000;
const frameEveryMs = 250;
/** Off a terminal nobody sees a bar move: after so long without a line, what is under way is said once more. */
const silenceMs = 30_000;
/** Sooner, when nothing is under way and all there is to tell is what is waited for. */
const idleMs = 8_000;

/** The exit code that a run's end stands for. */
export function exitCodeOf(result: RunResult | null): ExitCode {
  if (result === 'done' || result === 'planned') return exitCodes.done;
  if (result === 'refused') return exitCodes.precheck;
  return result === 'degraded' ? exitCodes.degraded : exitCodes.failed;
}

/**
 * Shows a run until it is over: a live tree on a terminal, lines otherwise. Ctrl-C leaves it going and says how to come back.
 * @throws CliError when left (130) or out of time (124); ApiError, ConnectionError
 */
export async function followRun(client: ApiClient, runId: string, world: { terminal: Terminal; options: FollowOptions }): Promise<Followed> {
  const { terminal, options } = world;
  const left = new AbortController();
  const leave = (why: 'interrupted' | 'timeout') => (): void => left.abort(why);
  const onInterrupt = leave('interrupted');
  process.once('SIGINT', onInterrupt);
  process.once('SIGTERM', onInterrupt);
  const timer = options.timeoutMs === undefined ? undefined : setTimeout(leave('timeout'), options.timeoutMs);
  const screen = screenOf(client, runId, world);
  const view = emptyView(runId);
  try {
    const feed = client.follow(runId, {
      signal: left.signal,
      onReconnect: (why, attempt, inMs) => screen.note(attempt, why, inMs),
      onConnected: () => screen.back(),
    });
    for await (const event of feed) {
      advanceView(view, event);
      screen.event(event, view);
      options.onEvent?.(event);
    }
  } catch (error) {
    if (left.signal.aborted && error instanceof ConnectionError) throw detached(runId, left.signal.reason as string, options.timeoutMs ?? 0);
    throw error;
  } finally {
    clearTimeout(timer);
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
    screen.end(view);
  }
  if (!options.json && options.quiet !== true) for (const line of endSummary(view)) terminal.out(line);
  return { exitCode: exitCodeOf(view.result), view };
}

function detached(runId: string, why: string, timeoutMs: number): CliError {
  const remedy = `watch it: strata runs watch ${runId}; stop it: strata runs cancel ${runId}`;
  if (why === 'timeout')
    return new CliError(`run ${runId} is not over after ${span(timeoutMs)}; it goes on without us`, { exitCode: exitCodes.timeout, remedy });
  return new CliError(`left; run ${runId} goes on`, { exitCode: exitCodes.interrupted, remedy });
}

interface Screen extends LineNews {
  event(event: RunEvent, view: RunView): void;
  end(view: RunView): void;
}
function screenOf(client: ApiClient, runId: string, { terminal, options }: { terminal: Terminal; options: FollowOptions }): Screen {
  const silent = { event: () => undefined, note: () => undefined, back: () => undefined, end: () => undefined };
  if (options.quiet === true) return silent;
  if (options.json)
    return {
      ...silent,
      ...brokenLineJson(terminal),
      event: (event) => terminal.out(JSON.stringify(event)),
    };
  return terminal.live ? liveScreen(client, runId, terminal) : lineScreen(client, runId, terminal);
}

function lineScreen(client: ApiClient, runId: string, terminal: Terminal): Screen {
  let seen: RunView | null = null;
  let lastLine = performance.now();
  let asking = false;
  let skewMs = 0; // our clock against the server's, as far as its events tell
  const tell = (now: number, words: string): void => terminal.out(`${new Date(now).toISOString().slice(11, 19)}  still: ${words}`);
  const still = async (): Promise<void> => {
    if (seen === null || seen.state === 'ended' || asking) return;
    const now = Date.now() - skewMs;
    const silent = performance.now() - lastLine;
    const running = seen.plan === null ? [] : underWay(seen.plan, seen);
    if (silent < (running.length === 0 ? idleMs : silenceMs)) return;
    lastLine = performance.now();
    if (seen.plan === null) return tell(now, `looking at the machines${seen.startedAt === null ? '' : `, since ${span(now - seen.startedAt)}`}`);
    for (const r of running) tell(now, runningText(r, now));
    if (running.length > 0) return;
    asking = true;
    try {
      for (const wait of firstWaits((await client.run(runId)).waits)) tell(now, waitText(wait, now));
    } catch (error) {
      if (!(error instanceof ApiError) && !(error instanceof ConnectionError)) throw error; // the feed tells of those
    } finally {
      asking = false;
    }
  };
  const timer = setInterval(() => void still(), 1_000);
  return {
    event: (event, view) => {
      seen = view;
      skewMs = Math.min(skewMs, Date.now() - event.at);
      const text = renderLine(event, view);
      if (text === null) return;
      lastLine = performance.now();
      const at = new Date(event.at).toISOString().slice(11, 19);
      for (const [i, line] of text.split('\n').entries()) terminal.out(`${i === 0 ? at : ' '.repeat(at.length)}  ${line}`);
    },
    ...brokenLine(terminal),
    end: () => clearInterval(timer),
  };
}

function liveScreen(client: ApiClient, runId: string, terminal: Terminal): Screen {
  const frame = liveFrame();
  const color = colorsFor(terminal);
  let view: RunView | null = null;
  let waits: readonly Wait[] = [];
  let trouble = '';
  let asking = false;
  let skewMs = 0; // our clock against the server's, as far as its events tell
  const ask = async (): Promise<void> => {
    if (asking || view === null || view.state === 'ended') return;
    asking = true;
    try {
      waits = (await client.run(runId)).waits;
    } catch (error) {
      if (!(error instanceof ApiError) && !(error instanceof ConnectionError)) throw error; // the feed tells of those
    } finally {
      asking = false;
    }
  };
  const draw = (): void => {
    if (view === null) return;
    const { columns, rows } = terminal.size;
    if (!(rows > 0)) return;
    frame.show([...treeOf(view), ...(trouble === '' ? [] : [trouble])].slice(0, Math.max(1, rows - 1)).join('\n'));
    function treeOf(v: RunView): string[] {
      const now = Date.now() - skewMs;
      if (v.plan === null)
        return [`${v.intent?.kind ?? 'run'}: looking at the machines  ${v.startedAt === null ? '' : span(now - v.startedAt)}`.slice(0, columns)];
      return renderTree(v.plan, v, { now, waits, width: columns, height: Math.max(1, rows - 2), estimate: estimate(v.plan, v, { now }), color });
    }
  };
  const timers = [setInterval(draw, frameEveryMs), setInterval(() => void ask(), waitsEveryMs)];
  return {
    event: (event, v) => {
      if ((event.kind === 'NodeChecked' || event.kind === 'PairsProbed') && v.plan === null) {
        const text = renderLine(event, v);
        if (text !== null) frame.above(printable(text));
      }
      if (view === null) void Promise.resolve().then(ask);
      view = v;
      if (Date.now() - event.at < 0) skewMs = Math.min(skewMs, Date.now() - event.at);
    },
    note: (attempt, why) => (trouble = attempt < 2 ? '' : color('bad', `the server does not answer (${printable(why)}); trying again`)),
    back: () => (trouble = ''),
    end: (v) => {
      for (const t of timers) clearInterval(t);
      trouble = '';
      view = v;
      draw();
      frame.done();
    },
  };
}

export function colorsFor(terminal: Pick<Terminal, 'colors'>): (tone: Tone, text: string) => string {
  const c = createColors(terminal.colors);
  const tones: Record<Tone, (text: string) => string> = {
    title: c.bold,
    good: c.green,
    changed: c.yellow,
    running: c.cyan,
    bad: c.red,
    quiet: c.dim,
    plain: String,
  };
  return (tone, text) => tones[tone](text);
}
