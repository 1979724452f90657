import { createParser } from 'eventsource-parser';
import { ConnectionError } from './api-error';
import { type ApiAnswer, textOf, type Transport } from './transport';

export interface Reconnecting {
  signal?: AbortSignal;
  /** Told when the stream broke and is tried again after `inMs`; `attempt` counts from 1 since the last message. */
  onReconnect?: (why: string, attempt: number, inMs: number) => void;
  /** Told when it answers again. */
  onConnected?: () => void;
}
export interface Feed {
  path: string;
  headers: Readonly<Record<string, string>>;
  refused: (answer: ApiAnswer, what: string) => Promise<Error>;
  /** The id of the last message that is known already. */
  after?: string | undefined;
}
export interface Message {
  event?: string | undefined;
  id?: string | undefined;
  data: string;
}
/** The server speaks at least every 15 s: what is silent for three times that is dead. */
export const silenceMs = 45_000;
const slowest = 5_000;

/**
 * The messages of a stream of server-sent events, over any number of broken connections: each new one says after which message it goes on. It ends only when
 * it is left.
 * @throws ApiError when the server refuses; ConnectionError `aborted` by the signal, or `untrusted`
 */
export async function* followMessages(transport: Transport, feed: Feed, options: Reconnecting): AsyncGenerator<Message> {
  let { after } = feed;
  for (let attempt = 0; ;) {
    let why = 'the server closed the stream';
    try {
      const headers = { ...feed.headers, accept: 'text/event-stream', ...(after === undefined ? {} : { 'last-event-id': after }) };
      const answer = await transport.send({ method: 'GET', path: feed.path, headers, timeoutMs: silenceMs, signal: options.signal });
      if (answer.status === 429 || answer.status >= 500) {
        why = `the server answers with status ${answer.status}`;
        await textOf(answer); // an answer that nobody reads holds its connection, and so this process
      } else if (answer.status !== 200) throw await feed.refused(answer, `GET ${feed.path}`);
      else {
        if (attempt > 0) options.onConnected?.();
        for await (const message of messagesOf(answer)) {
          attempt = 0;
          after = message.id ?? after;
          yield message;
        }
      }
    } catch (error) {
      if (!(error instanceof ConnectionError) || error.reason === 'aborted' || error.reason === 'untrusted') throw error;
      why = error.message;
    }
    attempt += 1;
    const inMs = attempt === 1 ? 50 : Math.min(slowest, 250 * 2 ** (attempt - 2));
    options.onReconnect?.(why, attempt, inMs);
    await pause(inMs, options.signal);
  }
}

async function* messagesOf(answer: ApiAnswer): AsyncGenerator<Message> {
  const ready: Message[] = [];
  const parser = createParser({ onEvent: (message) => void ready.push(message) });
  const decoder = new TextDecoder();
  for await (const piece of answer.body) {
    parser.feed(decoder.decode(piece, { stream: true }));
    while (ready.length > 0) yield ready.shift()!;
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      clearTimeout(timer);
      reject(new ConnectionError('aborted', 'left', { remedy: '' }));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', leave);
      resolve();
    }, ms);
    if (signal?.aborted) leave();
    else signal?.addEventListener('abort', leave, { once: true });
  });
}
