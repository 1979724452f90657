import type { Outcome } from '@strata/model';
import type { HeldState__Output as WireHeldState } from './gen/strata/agent/v1/HeldState';
import type { OutcomeCode__Output as WireOutcome } from './gen/strata/agent/v1/OutcomeCode';
import type { RefusalCode__Output as WireRefusal } from './gen/strata/agent/v1/RefusalCode';

/** How far an order is that an agent's journal holds. */
export type HeldState = 'accepted' | 'running' | 'settled';
/** Why an agent refused an order. Nothing was changed. */
export type RefusalCode =
  | 'bad-signature'
  | 'wrong-audience'
  | 'old-epoch'
  | 'old-attempt'
  | 'unknown-task'
  | 'unknown-version'
  | 'bad-input'
  | 'expired'
  | 'busy'
  | 'journal'
  | 'replayed';

const heldStates = { accepted: 'HELD_STATE_ACCEPTED', running: 'HELD_STATE_RUNNING', settled: 'HELD_STATE_SETTLED' } as const satisfies Record<
  HeldState,
  WireHeldState
>;
const refusals = {
  'bad-signature': 'REFUSAL_CODE_BAD_SIGNATURE',
  'wrong-audience': 'REFUSAL_CODE_WRONG_AUDIENCE',
  'old-epoch': 'REFUSAL_CODE_OLD_EPOCH',
  'old-attempt': 'REFUSAL_CODE_OLD_ATTEMPT',
  'unknown-task': 'REFUSAL_CODE_UNKNOWN_TASK',
  'unknown-version': 'REFUSAL_CODE_UNKNOWN_VERSION',
  'bad-input': 'REFUSAL_CODE_BAD_INPUT',
  expired: 'REFUSAL_CODE_EXPIRED',
  busy: 'REFUSAL_CODE_BUSY',
  journal: 'REFUSAL_CODE_JOURNAL',
  replayed: 'REFUSAL_CODE_REPLAYED',
} as const satisfies Record<RefusalCode, WireRefusal>;
const outcomes = {
  satisfied: 'OUTCOME_CODE_SATISFIED',
  changed: 'OUTCOME_CODE_CHANGED',
  failed: 'OUTCOME_CODE_FAILED',
  cancelled: 'OUTCOME_CODE_CANCELLED',
  lost: 'OUTCOME_CODE_LOST',
  refused: 'OUTCOME_CODE_REFUSED',
} as const satisfies Record<Outcome, WireOutcome>;

/** Does not compile when the wire has a code (other than "unspecified") that no word stands for. */
type AllOf<Wire, Mapped> = [Exclude<Wire, Mapped | `${string}_UNSPECIFIED`>] extends [never] ? true : never;
export const everyCodeHasItsWord: [
  AllOf<WireHeldState, (typeof heldStates)[HeldState]>,
  AllOf<WireRefusal, (typeof refusals)[RefusalCode]>,
  AllOf<WireOutcome, (typeof outcomes)[Outcome]>,
] = [true, true, true];

const inverse = <Word extends string, Code extends string>(map: Record<Word, Code>): ReadonlyMap<unknown, Word> =>
  new Map((Object.entries(map) as [Word, Code][]).map(([word, code]) => [code, word]));
const heldStateOf = inverse<HeldState, string>(heldStates);
const refusalOf = inverse<RefusalCode, string>(refusals);
const outcomeOf = inverse<Outcome, string>(outcomes);

// A code that a newer peer knows and this side does not arrives as a number, and gets the careful reading.
export const heldStateToWire = (state: HeldState) => heldStates[state];
/** Unknown: the order is taken to be under way, so that no second attempt is released over it. */
export const heldStateFromWire = (code: unknown): HeldState => heldStateOf.get(code) ?? 'running';
export const refusalToWire = (code: RefusalCode) => refusals[code];
/** Unknown: not sent again as it is. */
export const refusalFromWire = (code: unknown): RefusalCode => refusalOf.get(code) ?? 'bad-input';
export const outcomeToWire = (outcome: Outcome) => outcomes[outcome];
/** Unknown: nobody here can say how it ended, so it is looked at again. */
export const outcomeFromWire = (code: unknown): Outcome => outcomeOf.get(code) ?? 'lost';
