import { PodNews } from '@strata/model';
import { UnexpectedAnswer } from './api-error';
import { jsonOf } from './calls';
import { type Feed, followMessages, type Reconnecting } from './message-feed';
import type { Transport } from './transport';

const known: ReadonlySet<string | undefined> = new Set(PodNews.options.map((o) => o.shape.event.value));

/**
 * The pods of a cluster: all of them first, then what changes, over any number of broken connections. All of them come again where the server has forgotten
 * what came meanwhile. Words that this program does not know are left out. It ends only when it is left.
 * @throws ApiError when the server refuses; ConnectionError `aborted` by the signal, or `untrusted`; UnexpectedAnswer
 */
export async function* followPods(transport: Transport, feed: Feed, options: Reconnecting): AsyncGenerator<PodNews> {
  for await (const { event, data } of followMessages(transport, feed, options)) {
    if (!known.has(event)) continue;
    const news = PodNews.safeParse({ event, data: jsonOf(data, `GET ${feed.path}`) });
    if (!news.success) throw new UnexpectedAnswer(`GET ${feed.path}: "${event}" is not what was expected`, { cause: news.error });
    yield news.data;
  }
}
