import { parseEvent, type RunEvent } from '@strata/model';
import { type Feed, followMessages, type Reconnecting } from './message-feed';
import type { Transport } from './transport';

export interface FeedOptions extends Reconnecting {
  /** The last sequence that is known already; 0 or none: from the first. */
  after?: number;
}

/**
 * The events of a run in order, none missing and none twice, over any number of broken connections, until the server says that the run is over.
 * Kinds that this program does not know are left out.
 * @throws ApiError when the server refuses; ConnectionError `aborted` by the signal, or `untrusted`
 */
export async function* followEvents(transport: Transport, feed: Omit<Feed, 'after'>, options: FeedOptions): AsyncGenerator<RunEvent> {
  let after = options.after ?? 0;
  for await (const message of followMessages(transport, { ...feed, after: after > 0 ? String(after) : undefined }, options)) {
    if (message.event === 'end') return;
    const event = parseEvent(JSON.parse(message.data));
    const seq = event?.seq ?? Number(message.id);
    if (Number.isInteger(seq) && seq <= after) continue;
    if (Number.isInteger(seq)) after = seq;
    if (event) yield event;
  }
}
