import type { PairCell } from '@strata/model';
import type { Ready } from './pair-tries';

const flowBytes = 16 << 20;
const budgetMs = 30_000;

/**
 * Bandwidth of every pair over a port that is open: 16 MiB or 0.7 s, one pair after the other, so that none disturbs another. Of more than
 * six machines several at once, each sending to one and taking from one.
 */
export async function bandwidths(cells: readonly PairCell[], ready: ReadonlyMap<string, Ready>): Promise<Map<PairCell, number>> {
  const found = new Map<PairCell, number>();
  const rounds = roundsOf(cells, [...ready.keys()]);
  const ms = Math.max(100, Math.min(700, Math.floor(budgetMs / Math.max(1, rounds.length))));
  const end = Date.now() + budgetMs;
  for (const round of rounds) {
    if (Date.now() > end) break;
    await Promise.all(
      round.map(async (cell) => {
        const [from, to] = [ready.get(cell.from), ready.get(cell.to)];
        const port = cell.ports.find((p) => p.proto === 'tcp' && p.result === 'open' && to?.opened.listeners.some((l) => l.port === p.port && l.proto === 'tcp' && l.errno === 0));
        if (!from || !to || !port) return;
        const flow = await from.probe.talk.flow({ address: to.node.address, port: port.port }, { bytes: flowBytes, ms }).catch(() => null);
        if (flow) found.set(cell, Math.round((flow.bytes * 80) / flow.us) / 10);
      }),
    ); // prettier-ignore
  }
  return found;
}

/** Pairs that may be measured at once: one by one for few machines, else each machine in at most one pair each way. */
export function roundsOf(cells: readonly PairCell[], names: readonly string[]): PairCell[][] {
  if (names.length <= 6) return cells.map((c) => [c]);
  const rounds: PairCell[][] = [];
  for (const cell of cells) {
    const shift = (names.indexOf(cell.to) - names.indexOf(cell.from) + names.length) % names.length;
    (rounds[shift] ??= []).push(cell);
  }
  return rounds.filter((r) => r !== undefined);
}
