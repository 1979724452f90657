import type { Finding, RunEvent, RunIntent } from '@strata/model';
import { span } from './explain-wait';
import type { RunView, StepView } from './view';

/** What a run is for, for people: a look is called by what it is, not by what it looks at. */
export function intentWords(intent: Pick<RunIntent, 'kind' | 'dryRun' | 'until' | 'nodes' | 'app'>): string {
  if (intent.until === 'precheck') return 'precheck';
  if (intent.app !== undefined) return `${intent.kind.replace(/-app$/, '')}${intent.dryRun ? ' (plan)' : ''} of ${intent.app.namespace}/${intent.app.name}`;
  const nodes = intent.nodes.length > 0 ? ` ${intent.nodes.join(', ')}` : '';
  return `${intent.kind}${intent.dryRun ? ' (plan)' : ''}${nodes}`;
}

const counted = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

/**
 * One event as plain lines for something that is not a terminal, or null when it is nothing to tell. `view` has this event folded in.
 * Each attempt of a step gives one line when it begins and one when it ends; evidence that changed nothing gives none.
 */
export function renderLine(event: RunEvent, view: RunView): string | null {
  switch (event.kind) {
    case 'RunRequested':
      return `run ${event.runId}: ${intentWords(event.body.intent)} asked for by ${event.body.by}`;
    case 'NodeChecked': {
      const where = event.node ?? 'the cluster';
      if (!event.body.reachable) return `${where} could not be reached over ${event.body.via}: ${event.body.message}`;
      const serious = event.body.findings.filter((f) => f.severity !== 'info');
      if (serious.length === 0 && event.body.message !== '') return `${where}: ${event.body.message}`; // nobody looked: it says why
      const looked = event.node === null ? 'no plan can be made' : `${where} checked over ${event.body.via}`; // of no node: the server itself says no
      return [`${looked}: ${counted(serious.length, 'finding')}`, ...findingLines(serious)].join('\n');
    }
    case 'PairsProbed': {
      const { matrix, findings } = event.body;
      const serious = findings.filter((f) => f.severity !== 'info');
      const ways = matrix.pairs.length === 0 ? 'the disks are measured' : `${counted(matrix.pairs.length, 'way')} between the machines tried`;
      return [`${ways}: ${counted(serious.length, 'finding')}`, ...findingLines(serious, true)].join('\n');
    }
    case 'RunPlanned': {
      const { plan } = event.body;
      const absent = plan.absent.length === 0 ? '' : `; without ${plan.absent.join(', ')}, which could not be reached`;
      return [
        `planned: ${counted(plan.steps.length, 'step')} on ${counted(plan.nodes.length, 'node')}${absent}`,
        ...plan.warnings.map((w) => `  warning: ${w}`),
      ].join('\n');
    }
    case 'OrderStarted': {
      const step = currentStep(event, view);
      if (step === null || step.startedAt !== event.at || step.endedAt !== null) return null;
      return `${step.key}: ${step.action === 'undo' ? 'is being taken back' : 'begins'}${step.attempt > 1 ? ` (attempt ${step.attempt})` : ''}`;
    }
    case 'OrderSettled': {
      const step = currentStep(event, view);
      return step === null || event.body.late || step.endedAt !== event.at ? null : endLine(step);
    }
    case 'StepRetried':
      return `${event.step ?? 'a step'}: ${event.body.by} asks for one more go`;
    case 'NodeAbsent':
      return `${event.node ?? 'a node'} is absent: silent for ${span(event.body.waitedMs)}; the others go on, and it is finished when it comes back`;
    case 'NodeReturned':
      return `${event.node ?? 'a node'} is back`;
    case 'CancelRequested':
      return `${view.because}: nothing new begins, what runs is stopped`;
    case 'UnwindStarted':
      return `unwinding: ${event.body.because}`;
    case 'RunHeld':
      return `held: ${event.body.because}`;
    case 'RunResumed':
      return `resumed by ${event.body.by}`;
    case 'RunEnded':
      return `${event.body.result}${view.startedAt === null ? '' : ` after ${span(event.at - view.startedAt)}`}: ${event.body.because}`;
    default:
      return null;
  }
}

function currentStep(event: Extract<RunEvent, { kind: 'OrderStarted' | 'OrderSettled' }>, view: RunView): StepView | null {
  const step = event.step === null ? undefined : view.steps.get(event.step);
  const { attempt, epoch, action } = event.body;
  return step !== undefined && step.attempt === attempt && step.epoch === epoch && step.action === action ? step : null;
}

function endLine(step: StepView): string {
  const took = step.startedAt === null || step.endedAt === null || step.endedAt === step.startedAt ? '' : ` in ${span(step.endedAt - step.startedAt)}`;
  const findings = findingLines((step.result?.findings ?? []).filter((f) => f.severity !== 'info'));
  const failure = step.result?.failure;
  switch (step.state) {
    case 'done':
      return [`${step.key}: ${step.outcome === 'changed' ? 'changed' : 'is as it should be'}${took}`, ...findings].join('\n');
    case 'undone':
      return `${step.key}: taken back${took}`;
    default: {
      const what = step.outcome === 'refused' ? 'refused' : step.outcome === 'cancelled' ? 'cancelled' : step.outcome === 'lost' ? 'lost' : 'FAILED';
      const lines = [`${step.key}: ${what}${took}${failure === undefined ? '' : `: ${failure.message}`}`];
      for (const cause of failure?.cause ?? []) lines.push(`  because: ${cause}`);
      if (failure?.remedy) lines.push(`  remedy: ${failure.remedy}`);
      return [...lines, ...findings].join('\n');
    }
  }
}
const findingLines = (findings: readonly Finding[], named = false): string[] =>
  findings.map((f) => `  ${f.severity}${named && f.node ? ` on ${f.node}` : ''}: ${f.message}${f.remedy === '' ? '' : ` (remedy: ${f.remedy})`}`);
