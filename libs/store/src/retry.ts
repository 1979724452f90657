import { setTimeout as sleep } from 'node:timers/promises';

/** SQLSTATEs, system errors and Prisma codes after which the same work may succeed: a restart, a lost connection, a lost race. */
const transient = new Set([
  ...['40001', '40P01', '55P03', '57P01', '57P02', '57P03', '08000', '08001', '08003', '08004', '08006', '53300'],
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOENT', 'ETIMEDOUT', 'EAI_AGAIN'],
  ...['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2028', 'P2034'],
]);
const words =
  /connection terminated|server closed the connection|connection ended|timeout exceeded when trying to connect|not queryable|write conflict|ConnectionClosed|Can't reach database/i;

interface Caused {
  code?: unknown;
  originalCode?: unknown;
  message?: unknown;
  cause?: unknown;
}
/** The SQLSTATE in Prisma's words for a failed raw statement or BEGIN. */
const sqlState = ({ message }: Caused): string | undefined => (typeof message === 'string' ? /Code: `(\w{5})`/.exec(message)?.[1] : undefined);

/** Whether the failure lies in the connection or in a race, not in the request. Looks through the chain of causes. */
export function isTransient(error: unknown): boolean {
  for (let e = error as Caused | undefined, depth = 0; typeof e === 'object' && e !== null && depth < 6; e = e.cause as Caused | undefined, depth += 1) {
    if ([e.code, e.originalCode].some((c) => typeof c === 'string' && transient.has(c))) return true;
    const message = typeof e.message === 'string' ? e.message : '';
    const state = sqlState(e);
    if (words.test(message) || (state !== undefined && transient.has(state))) return true;
  }
  return false;
}

/** Whether a unique key refused a row. */
export function isDuplicate(error: unknown): boolean {
  for (let e = error as Caused | undefined, depth = 0; typeof e === 'object' && e !== null && depth < 6; e = e.cause as Caused | undefined, depth += 1) {
    if (e.code === 'P2002' || e.code === '23505' || e.originalCode === '23505' || sqlState(e) === '23505') return true;
  }
  return false;
}

/** Does `work` again while its failure is transient, with growing pauses (20 ms to 1 s), until `deadlineMs` are over; then throws the last failure. */
export async function persist<T>(work: () => Promise<T>, deadlineMs = 20_000): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (let pause = 20; ; pause = Math.min(pause * 2, 1000)) {
    try {
      return await work();
    } catch (error) {
      if (!isTransient(error) || performance.now() + pause > end) throw error;
    }
    await sleep(pause);
  }
}
