import type { Phase, Plan, Step, Wait } from '@strata/model';
import { phases } from '@strata/model';
import type { Estimate } from './estimate';
import { span } from './explain-wait';
import { isInFlight } from './fold';
import { summarize } from './summarize';
import type { RunView, StepView } from './view';

/** What a piece of text means, for colours. */
export type Tone = 'title' | 'good' | 'changed' | 'running' | 'bad' | 'quiet' | 'plain';
export interface TreeOptions {
  now: number;
  waits: readonly Wait[];
  width: number;
  /** At most so many lines: what matters least is left out, and the last line says how many. */
  height: number;
  estimate?: Estimate;
  color?: (tone: Tone, text: string) => string;
}
type Piece = [Tone, string];
/** `weight`: what is left out first when there is no room (higher). */
interface Line {
  pieces: Piece[];
  weight: number;
}

/** The live tree of a run, by node and phase: what is done, what runs and for how long, what failed, what waits and for what. */
export function renderTree(plan: Plan, view: RunView, options: TreeOptions): string[] {
  const lines = [heading(view, options), ...groups(plan).flatMap((group) => groupLines(group, view, options)), ...foot(view)];
  return fit(lines, options.height).map((line) => paint(line.pieces, options));
}

interface Group {
  name: string;
  role: string;
  steps: Step[];
}
function groups(plan: Plan): Group[] {
  const byName = new Map<string, Group>(plan.nodes.map((n) => [n.name, { name: n.name, role: n.role, steps: [] }]));
  const cluster: Group = { name: 'cluster', role: 'for all nodes', steps: [] };
  for (const step of plan.steps) (byName.get(step.node ?? '') ?? cluster).steps.push(step);
  return [...byName.values(), cluster].filter((g) => g.steps.length > 0);
}

function heading(view: RunView, options: TreeOptions): Line {
  const s = summarize(view, options.now);
  const pieces: Piece[] = [['title', `${view.intent?.kind ?? 'run'} ${view.state === 'ended' ? (view.result ?? '') : view.state}`]];
  pieces.push(['plain', `  ${s.done}/${s.total} steps`]);
  if (s.changed > 0) pieces.push(['changed', `, ${s.changed} changed`]);
  if (s.failed > 0) pieces.push(['bad', `, ${s.failed} failed`]);
  pieces.push(['quiet', `  ${span(s.elapsedMs)}`]);
  const left = options.estimate?.remainingMs ?? 0;
  if (left > 0 && view.state !== 'ended') pieces.push(['quiet', `, about ${span(left)} left`]);
  return { pieces, weight: 0 };
}

function groupLines(group: Group, view: RunView, options: TreeOptions): Line[] {
  const steps = group.steps.map((step) => ({ step, v: view.steps.get(step.key)! }));
  const done = steps.filter(({ v }) => isOver(v)).length;
  const absent = view.absent.get(group.name);
  const head: Piece[] = [
    ['title', group.name],
    ['quiet', ` ${group.role}`],
    ['plain', `  ${done}/${steps.length}`],
  ];
  const left = options.estimate?.byNode.get(group.name) ?? 0;
  if (absent !== undefined) head.push(['bad', `  absent since ${span(options.now - absent)}`]);
  else if (left > 0 && view.state !== 'ended' && done < steps.length) head.push(['quiet', `  about ${span(left)} left`]);
  const lines: Line[] = [{ pieces: head, weight: 1 }];
  let told = false; // one wait a node: the rest waits for that
  for (const phase of phases) {
    const those = steps.filter(({ step }) => step.phase === phase);
    if (those.length === 0) continue;
    lines.push(phaseLine(phase, those));
    for (const { step, v } of those) {
      if (isInFlight(v)) lines.push(stepLine(step, v, options));
      else if (v.state === 'failed' || v.state === 'undo-failed') lines.push(...failedLines(step, v));
    }
    const waiting = those.find(({ v }) => v.state === 'waiting');
    if (told || waiting === undefined || view.state === 'ended') continue;
    told = true;
    const wait = options.waits.find((w) => w.step === waiting.step.key);
    if (wait === undefined) continue;
    const since = wait.since === null ? '' : `, since ${span(options.now - wait.since)}`;
    lines.push({ pieces: [['quiet', `    · ${waiting.step.title}: waits for ${wait.for}${since}; ended by: ${wait.endedBy}`]], weight: 4 });
  }
  return lines;
}

function phaseLine(phase: Phase, steps: readonly { v: StepView }[]): Line {
  const over = steps.filter(({ v }) => isOver(v)).length;
  const failed = steps.some(({ v }) => v.state === 'failed' || v.state === 'undo-failed');
  const running = steps.some(({ v }) => isInFlight(v));
  const changed = steps.filter(({ v }) => v.changed && v.state === 'done').length;
  const [tone, mark]: [Tone, string] = failed ? ['bad', '✗'] : over === steps.length ? ['good', '✓'] : running ? ['running', '▸'] : ['quiet', '·'];
  const pieces: Piece[] = [
    [tone, `  ${mark} ${phase.padEnd(8)}`],
    ['plain', `  ${over}/${steps.length}`],
  ];
  if (changed > 0) pieces.push(['changed', `  ${changed} changed`]);
  return { pieces, weight: failed || running ? 2 : over === steps.length ? 6 : 5 };
}

function stepLine(step: Step, v: StepView, options: TreeOptions): Line {
  const undoing = v.state === 'undoing';
  const pieces: Piece[] = [['running', `    ${undoing ? '↺' : '●'} ${step.title}`]];
  if (v.attempt > 1 && !undoing) pieces.push(['changed', ` (attempt ${v.attempt})`]);
  if (v.waitingFor !== null) return { pieces: [...pieces, ['quiet', `  waits for ${v.waitingFor}`]], weight: 3 };
  const since = v.startedAt ?? v.releasedAt ?? options.now;
  pieces.push(['quiet', `  ${span(options.now - since)}`]);
  if (v.progress !== null && v.progress.fraction !== null) pieces.push(['running', `  ${Math.floor(v.progress.fraction * 100)} %`]);
  if (v.progress !== null && v.progress.note !== '') pieces.push(['quiet', `  ${v.progress.note}`]);
  return { pieces, weight: 3 };
}

function failedLines(step: Step, v: StepView): Line[] {
  const failure = v.result?.failure;
  const lines: Line[] = [{ pieces: [['bad', `    ✗ ${step.key}: ${failure?.message ?? v.outcome ?? 'failed'}`]], weight: 1 }];
  if (failure?.remedy) lines.push({ pieces: [['plain', `      ${failure.remedy}`]], weight: 2 });
  return lines;
}

const foot = (view: RunView): Line[] => (view.because === '' ? [] : [{ pieces: [[view.result === 'done' ? 'good' : 'plain', view.because]], weight: 0 }]);
const isOver = (v: StepView): boolean => v.state === 'done' || v.state === 'undone';

/** Leaves out the heaviest lines, the lowest first, until the rest and a line about them fit. */
function fit(lines: Line[], height: number): Line[] {
  if (lines.length <= height) return lines;
  const kept = new Set(
    lines
      .map((line, i) => ({ i, weight: line.weight }))
      .sort((a, b) => a.weight - b.weight || a.i - b.i)
      .slice(0, Math.max(0, height - 1))
      .map(({ i }) => i),
  );
  return [...lines.filter((_, i) => kept.has(i)), { pieces: [['quiet', `… ${lines.length - kept.size} more lines`]], weight: 0 }];
}

/** Cuts to the width and colours what is left. Control characters of foreign text never reach the terminal. */
function paint(pieces: readonly Piece[], options: TreeOptions): string {
  const color = options.color ?? ((_: Tone, text: string): string => text);
  let room = Math.max(1, options.width);
  let line = '';
  for (const [tone, raw] of pieces) {
    if (room <= 0) break;
    const text = [...raw.replace(/[\p{Cc}\p{Cf}]+/gu, ' ')];
    const cut = text.length > room ? [...text.slice(0, room - 1), '…'] : text;
    line += color(tone, cut.join(''));
    room -= cut.length;
  }
  return line;
}
