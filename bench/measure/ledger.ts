import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';

interface Event {
  seq: number;
  at: number;
  kind: string;
  step: string | null;
  body: { outcome?: string; plan?: { steps: { key: string; needs: string[] }[] }; result?: { durationMs?: number } };
}
export interface StepTime {
  step: string;
  needs: readonly string[];
  released: number;
  started: number;
  ended: number;
  /** What the task itself took, by the clock of whoever ran it (ms). */
  own: number;
  outcome: string;
}
export interface RunTimes {
  runId: string;
  /** When it was asked for, by the server's clock (ms since 1970). */
  at: number;
  /** From the request to the end, and to the plan (ms): planning includes the prechecks. */
  total: number;
  planned: number;
  steps: StepTime[];
}

/** Reads the newest run of a control server's home from its ledger. Times are milliseconds since the run was asked for. */
export async function newestRun(home: string): Promise<RunTimes> {
  const { runs } = JSON.parse(await get(home, '/v1/runs?limit=1')) as { runs: { id: string }[] };
  const runId = runs[0]?.id;
  if (runId === undefined) throw new Error(`the server of ${home} knows no run`);
  const text = await get(home, `/v1/runs/${runId}/events?after=0`, (soFar) => soFar.includes('"RunEnded"') && soFar.endsWith('\n\n'));
  const events = text.split('\n\n').flatMap((block): Event[] => {
    const data = block.split('\n').filter((l) => l.startsWith('data:')).map((l) => l.slice(5)).join(''); // prettier-ignore
    const parsed = data === '' ? null : (JSON.parse(data) as Partial<Event>);
    return parsed?.kind !== undefined && parsed.at !== undefined ? [parsed as Event] : [];
  });
  const start = events[0]?.at ?? 0;
  const plan = events.find((e) => e.kind === 'RunPlanned');
  const needs = new Map((plan?.body.plan?.steps ?? []).map((s) => [s.key, s.needs]));
  const steps = new Map<string, StepTime>();
  for (const e of events) {
    if (e.step === null || e.step === undefined) continue;
    const at = e.at - start;
    const s = steps.get(e.step) ?? { step: e.step, needs: needs.get(e.step) ?? [], released: at, started: at, ended: at, own: 0, outcome: '' };
    steps.set(e.step, s);
    if (e.kind === 'OrderStarted') s.started = at;
    if (e.kind === 'OrderSettled') Object.assign(s, { ended: at, outcome: e.body.outcome ?? '', own: e.body.result?.durationMs ?? 0 });
  }
  return { runId, at: start, total: (events.at(-1)?.at ?? start) - start, planned: (plan?.at ?? start) - start, steps: [...steps.values()] };
}

export type Part = 'transfer' | 'agent' | 'checks' | 'cluster' | 'engine';
const partOf = (step: string): Part => {
  const task = step.slice(step.indexOf('/') + 1);
  if (/^(artifacts?\.|images\.import)/.test(task)) return 'transfer';
  if (task.startsWith('agent.')) return 'agent';
  if (/^(kubernetes|network|kubeconfig|manifests|k3s)\b/.test(task)) return 'cluster';
  return 'checks'; // the native layer: on a warm node mostly looks
};

/**
 * Where the wall time of a run went: the longest chain of steps that waited for each other, from its end backwards. What lies between a step's
 * last need and its own begin is the engine's (of a transfer: the transfer's before it); `planned` is counted as checks.
 */
export function criticalPath(run: RunTimes): { parts: Record<Part, number>; chain: { step: string; wait: number; ran: number }[] } {
  const parts: Record<Part, number> = { transfer: 0, agent: 0, checks: run.planned, cluster: 0, engine: 0 };
  const by = new Map(run.steps.map((s) => [s.step, s]));
  const chain: { step: string; wait: number; ran: number }[] = [];
  let at = [...run.steps].sort((a, b) => b.ended - a.ended)[0];
  if (at) parts.engine += run.total - at.ended;
  while (at) {
    const before: StepTime | undefined = at.needs.flatMap((n) => by.get(n) ?? []).sort((a, b) => b.ended - a.ended)[0];
    const from = before?.ended ?? run.planned;
    const began = Math.min(Math.max(at.started, from), at.ended);
    parts[at.step.includes('/artifacts.fetch') ? 'transfer' : 'engine'] += began - from; // a transfer waits for the one before it on its node
    parts[partOf(at.step)] += at.ended - began;
    chain.unshift({ step: at.step, wait: began - from, ran: at.ended - began });
    at = before;
  }
  return { parts, chain };
}
/** The middle and the slowest tenth of the engine's hops: from the end of a step's last need to its own start (ms). */
export function hops(run: RunTimes): { median: number; p90: number } {
  const by = new Map(run.steps.map((s) => [s.step, s]));
  const all = run.steps
    .filter((s) => s.needs.length > 0)
    .map((s) => s.started - Math.max(...s.needs.map((n) => by.get(n)?.ended ?? 0)))
    .sort((a, b) => a - b);
  return { median: all[Math.floor(all.length / 2)] ?? 0, p90: all[Math.floor(all.length * 0.9)] ?? 0 };
}

/** A GET of a server's API with its admin token. `enough` ends an endless answer. @throws Error with the status and the answer's beginning */
function get(home: string, path: string, enough: (soFar: string) => boolean = () => false): Promise<string> {
  const { api } = JSON.parse(readFileSync(join(home, 'run/ports.json'), 'utf8')) as { api: number };
  const token = readFileSync(join(home, 'secrets/admin.token'), 'utf8').trim();
  const ca = readFileSync(join(home, 'secrets/ca.pem'), 'utf8');
  return new Promise((resolve, reject) => {
    const asked = request(
      `https://127.0.0.1:${api}${path}`,
      { ca, checkServerIdentity: () => undefined, headers: { authorization: `Bearer ${token}` }, timeout: 30_000, agent: false },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part: string) => {
          text += part;
          if (!enough(text)) return;
          resolve(text);
          asked.destroy();
        });
        answer.on('end', () => (answer.statusCode === 200 ? resolve(text) : reject(new Error(`GET ${path}: ${answer.statusCode ?? 0} ${text.slice(0, 300)}`))));
      },
    );
    asked.on('timeout', () => asked.destroy(new Error(`GET ${path}: no answer in 30 s`)));
    asked.on('error', reject);
    asked.end();
  });
}
