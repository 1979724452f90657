/** What an agent's journal holds of one order. */
export interface HeldAttempt {
  epoch: number;
  attempt: number;
  state: 'accepted' | 'running' | 'settled';
}
/**
 * What an agent does with an order that comes in.
 * accept: new work. again: the same attempt is under way, say Accepted again. answer: it is settled, send the stored outcome.
 */
export type Judgement =
  { verdict: 'accept' } | { verdict: 'again' } | { verdict: 'answer' } | { verdict: 'refuse'; code: 'old-epoch' | 'old-attempt' | 'busy'; message: string };

/**
 * The rule that no effect happens twice (DESIGN, promise 2): an order carries epoch and attempt; a lower one is refused, a repeated one answered
 * from the journal (also when a newer epoch was seen since: it is the same work), a higher one taken only when the one before it is over.
 * @param held what the journal has of this very order; @param highestEpoch the highest epoch this agent ever accepted.
 */
export function judgeOrder(incoming: { epoch: number; attempt: number }, held: HeldAttempt | undefined, highestEpoch: number): Judgement {
  const order = held ? incoming.epoch - held.epoch || incoming.attempt - held.attempt : 1;
  if (order !== 0 && incoming.epoch < highestEpoch)
    return { verdict: 'refuse', code: 'old-epoch', message: `its epoch is ${incoming.epoch}, and ${highestEpoch} was already seen here` };
  if (!held) return { verdict: 'accept' };
  if (order === 0) return { verdict: held.state === 'settled' ? 'answer' : 'again' };
  if (order < 0)
    return {
      verdict: 'refuse',
      code: 'old-attempt',
      message: `attempt ${incoming.attempt} of epoch ${incoming.epoch} is older than ${held.attempt} of ${held.epoch}`,
    };
  if (held.state !== 'settled') return { verdict: 'refuse', code: 'busy', message: `attempt ${held.attempt} is still under way` };
  return { verdict: 'accept' };
}

/**
 * The order that is still under way for the same step under another id: of a run that ended while this node was away, or the one that an undo takes
 * back. Two orders never work on one step at once: stop this one, and refuse what comes in as busy until it is over.
 */
export function inTheWay<H extends { state: HeldAttempt['state']; body: { orderId: string; step: string } }>(
  incoming: { orderId: string; step: string },
  all: Iterable<H>,
): H | undefined {
  for (const held of all) if (held.state !== 'settled' && held.body.step === incoming.step && held.body.orderId !== incoming.orderId) return held;
  return undefined;
}
