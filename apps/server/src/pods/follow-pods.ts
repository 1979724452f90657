import { Inject, Injectable } from '@nestjs/common';
import type { Response } from '../api/http';
import { LiveAnswer } from '../api/live-answer';
import { Edges } from '../serve/edges';
import type { PodFeed } from './pod-feed';
import { type HeldPods, ShowPods } from './show-pods';

/**
 * Streams the pods of a cluster as server-sent events: all of them (`pods`), then what changes (`pod`, `gone`, and `state` when the watch falls behind or
 * catches up). Whoever comes back with the id of the last event hears only what came after it, where that is still known. A slow reader hears less, never late.
 */
@Injectable()
export class FollowPods {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly pods!: ShowPods;

  /** @param after the id of the last event that the reader has. Resolves when the stream is over. @throws ProblemError before it began */
  async run(idOrName: string, after: string | undefined, response: Response): Promise<void> {
    const held = await this.pods.hold(idOrName);
    const answer = new LiveAnswer(response, { type: 'text/event-stream', stopping: this.edges.stopping }, () => void held.check());
    try {
      await tell(held, { after, answer });
    } finally {
      answer.end();
      held.release();
    }
  }
}

async function tell(held: HeldPods, { after, answer }: { after: string | undefined; answer: LiveAnswer }): Promise<void> {
  const { cluster, feed, over } = held;
  let wake: () => void = () => undefined;
  let news = true;
  const poke = (): void => {
    news = true;
    wake();
  };
  for (const end of [answer.over, over]) end.addEventListener('abort', poke, { once: true });
  const leave = await feed.join(poke);
  try {
    answer.begin();
    let at = feed.marked(after);
    while (!answer.over.aborted && !over.aborted) {
      news = false;
      const words = at === null ? null : feed.since(at);
      let room = true;
      if (words === null) {
        const { id, seen } = feed.whole();
        at = id;
        room = answer.write(message(feed, { id, event: 'pods', data: JSON.stringify({ cluster, ...seen }) }));
      } else
        for (const word of words) {
          at = word.id;
          room = answer.write(message(feed, word));
          if (!room) break; // what comes until there is room again is told as it is then
        }
      if (!room) await answer.room();
      else if (!news) await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    leave();
    over.removeEventListener('abort', poke);
  }
}
const message = (feed: PodFeed, { id, event, data }: { id: number; event: string; data: string }): string =>
  `event: ${event}\nid: ${feed.mark(id)}\ndata: ${data}\n\n`;
