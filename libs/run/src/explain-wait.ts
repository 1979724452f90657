import type { Plan, Step, Wait } from '@strata/model';
import { retryAt, type Standing } from './assess';
import { graphOf } from './graph';
import type { Situation } from './ports';
import type { RunView } from './view';

interface World {
  standings: ReadonlyMap<string, Standing>;
  situation: Situation;
}

/** A span for people: `8 s`, `4 min 20 s`, `2 h 5 min`. */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 === 0 ? `${s / 60} min` : `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
}

/** Why each step that does not move does not: what it waits for, since when, what would end it. Steps that are done or beyond the last phase are left out. */
export function explainWaits(plan: Plan, view: RunView, world: World): Wait[] {
  const waits: Wait[] = [];
  for (const step of plan.steps) {
    const wait = explain(plan, view, { ...world, step });
    if (wait !== null) waits.push(wait);
  }
  return waits;
}

function explain(plan: Plan, view: RunView, at: World & { step: Step }): Wait | null {
  const { step, situation } = at;
  const standing = at.standings.get(step.key);
  const v = view.steps.get(step.key);
  if (standing === undefined || v === undefined) return null;
  const wait = (what: string, since: number | null, endedBy: string): Wait => ({ step: step.key, for: what, since, endedBy });
  switch (standing.kind) {
    case 'done':
    case 'undone':
    case 'phase':
    case 'ready':
      return null;
    case 'flight':
      return v.waitingFor === null ? null : wait(v.waitingFor, v.releasedAt, 'its node comes back');
    case 'need': {
      const since = Math.max(0, ...step.needs.map((n) => view.steps.get(n)?.endedAt ?? 0));
      return wait(chain(plan, view, { ...at, needs: standing.needs }), since > 0 ? since : view.openedAt, `${standing.needs.join(', ')} done`);
    }
    case 'held': {
      const root = view.steps.get(standing.by);
      const there = at.standings.get(standing.by);
      if (there?.kind === 'absent') return wait(`${standing.by}, whose node ${there.node} is absent`, there.since, `${there.node} comes back`);
      return wait(`${standing.by}, which failed: ${reasonOf(root)}`, root?.endedAt ?? null, `strata runs retry ${view.runId} ${standing.by}`);
    }
    case 'failed':
      return wait(`the operator: it failed: ${reasonOf(v)}`, v.endedAt, v.result?.failure?.remedy || `strata runs retry ${view.runId} ${step.key}`);
    case 'absent':
      return wait(`${standing.node}, which is absent`, standing.since, `${standing.node} comes back`);
    case 'node': {
      const then = `${standing.node} connects; it counts as absent in ${span(standing.absentAt - situation.now)}`;
      const seen = standing.lastSeen;
      if (!standing.enrolled)
        return wait(
          `${standing.node}, which has not joined yet`,
          seen,
          `${standing.node} joins; it counts as absent in ${span(standing.absentAt - situation.now)}`,
        );
      return wait(`${standing.node}, last seen ${seen === null ? 'never' : `${span(situation.now - seen)} ago`}`, seen, then);
    }
    case 'backoff':
      return wait(
        `its next attempt in ${span(retryAt(v) - situation.now)}: attempt ${v.attempt} failed: ${reasonOf(v)}`,
        v.endedAt,
        `attempt ${v.attempt + 1} of ${step.attempts}`,
      );
    case 'pool': {
      const holders = plan.steps
        .filter((s) => s.pool === standing.pool && (standing.node === null ? s.target === 'server' : s.node === standing.node && s.target === 'node'))
        .filter((s) => ['flight', 'ready'].includes(at.standings.get(s.key)?.kind ?? '')); // ready: about to be given the place
      const where = standing.node === null ? 'on the server' : `on ${standing.node}`;
      const by = holders.length === 0 ? 'another run' : holders.map((s) => s.key).join(', ');
      return wait(`a place in the pool ${standing.pool} ${where}, which ${by} holds`, view.openedAt, `${by} ends`);
    }
    case 'cancelled':
      return wait('nothing: the run was cancelled', null, `strata runs resume ${view.runId}`);
    case 'unwinding':
      return wait('nothing: the run takes back what it changed', null, 'a new run');
  }
}

const reasonOf = (v: { result: { failure?: { message: string } } | null; outcome: string | null } | undefined): string =>
  v?.result?.failure?.message ?? v?.outcome ?? 'no reason was given';

/** The chain from what is needed down to its root: `n1/kubernetes.api, which waits for n1/kubernetes.control-plane, which runs since 12 s`. */
function chain(plan: Plan, view: RunView, at: World & { needs: readonly string[] }): string {
  const graph = graphOf(plan);
  const words: string[] = [];
  const seen = new Set<string>();
  let needs = at.needs;
  while (true) {
    // The one that will take longest is not known here: follow the last in the plan's order that is not done.
    const key = needs.at(-1);
    if (key === undefined || seen.has(key)) break;
    seen.add(key);
    const others = needs.length - 1;
    const standing = at.standings.get(key);
    words.push(others > 0 && words.length === 0 ? `${key} and ${others} more` : key);
    if (standing?.kind !== 'need') {
      words.push(rootWords(key, view, { standing, now: at.situation.now }));
      break;
    }
    needs = standing.needs;
    if (graph.steps.get(key) === undefined) break;
  }
  const root = words.pop() ?? '';
  const middle = words.length > 3 ? [words[0]!, '…', words.at(-1)!] : words;
  return `${middle.join(', which waits for ')}, ${root}`;
}

function rootWords(key: string, view: RunView, at: { standing: Standing | undefined; now: number }): string {
  const v = view.steps.get(key);
  if (at.standing?.kind === 'flight' && v) {
    const verb = v.state === 'released' ? 'is on its way' : v.action === 'undo' ? 'is being taken back' : 'runs';
    const since = v.startedAt ?? v.releasedAt;
    return `which ${verb}${since === null ? '' : ` since ${span(at.now - since)}`}`;
  }
  switch (at.standing?.kind) {
    case 'node':
      return `which waits for ${at.standing.node}`;
    case 'backoff':
      return `which is tried again in ${span(at.standing.until - at.now)}`;
    case 'pool':
      return `which waits for a place in the pool ${at.standing.pool}`;
    default:
      return 'which is about to begin';
  }
}
