import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';

export interface Answer<T> {
  status: number;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: T;
}
export interface LedgerEvent {
  runId: string;
  seq: number;
  at: number;
  step: string | null;
  node: string | null;
  kind: string;
  body: Record<string, unknown>;
}
export interface Heard {
  /** As they came. `id` is the SSE id. */
  messages: { id: string; text: string; event: LedgerEvent }[];
  /** Whether the server said that the run is over. */
  over: boolean;
}

/** The API as a stranger's program sees it: plain HTTPS, nothing of Strata's own client, so that both do not err in the same way. */
export class Api {
  constructor(readonly server: { url: string; ca: string; token: string }) {}

  /** One request; JSON in and out. A status of 400 and above is an answer, not an error. */
  async ask<T = Record<string, unknown>>(
    method: string,
    path: string,
    { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Answer<T>> {
    const response = await this.send({ method, path, body, headers });
    let text = '';
    for await (const piece of response.setEncoding('utf8') as AsyncIterable<string>) text += piece;
    const json = /json/.test(response.headers['content-type'] ?? '');
    return { status: response.statusCode ?? 0, headers: response.headers, body: (json ? JSON.parse(text) : text) as T };
  }
  /** As `ask`; a status of 400 and above throws. Gives the body. */
  async must<T = Record<string, unknown>>(method: string, path: string, options: Parameters<Api['ask']>[2] = {}): Promise<T> {
    const answer = await this.ask<T>(method, path, options);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /**
   * Listens to the events of a run until it is over, or until `enough` messages were heard: then the connection is cut.
   * @param after the id of the last event that is known, sent as Last-Event-ID
   * @param hear is told each as it comes
   */
  async followEvents(
    runId: string,
    { after, enough = Infinity, hear }: { after?: string; enough?: number; hear?: (message: Heard['messages'][number]) => void } = {},
  ): Promise<Heard> {
    const headers = { accept: 'text/event-stream', ...(after === undefined ? {} : { 'last-event-id': after }) };
    const response = await this.send({ method: 'GET', path: `/v1/runs/${runId}/events`, headers });
    if (response.statusCode !== 200) throw new Error(`events of ${runId}: status ${response.statusCode}`);
    const heard: Heard = { messages: [], over: false };
    let rest = '';
    for await (const piece of response.setEncoding('utf8') as AsyncIterable<string>) {
      rest += piece;
      for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
        const fields = fieldsOf(rest.slice(0, end));
        rest = rest.slice(end + 2);
        if (fields.event === 'end') return { ...heard, over: true };
        if (fields.data === undefined) continue;
        const message = { id: fields.id ?? '', text: fields.data, event: JSON.parse(fields.data) as LedgerEvent };
        heard.messages.push(message);
        hear?.(message);
        if (heard.messages.length >= enough) return heard; // leaving the loop destroys the connection
      }
    }
    return heard;
  }
  /** All events of a run that is over. */
  async eventsOf(runId: string): Promise<LedgerEvent[]> {
    const { messages, over } = await this.followEvents(runId);
    if (!over) throw new Error(`the events of ${runId} stopped before its end`);
    return messages.map((m) => m.event);
  }

  private send(asked: { method: string; path: string; body?: unknown; headers: Record<string, string> }): Promise<IncomingMessage> {
    const { url, ca, token } = this.server;
    const body = asked.body === undefined ? undefined : JSON.stringify(asked.body);
    const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...asked.headers };
    return new Promise((resolve, reject) => {
      const sent = request(new URL(asked.path, url), { method: asked.method, ca, headers, agent: false, timeout: 120_000 }, resolve);
      sent.once('timeout', () => sent.destroy(new Error(`${asked.method} ${asked.path}: no word for 120 s`)));
      sent.once('error', reject);
      sent.end(body);
    });
  }
}

function fieldsOf(message: string): Record<string, string | undefined> {
  const fields: Record<string, string> = {};
  for (const line of message.split('\n')) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields[name] = name in fields ? `${fields[name]}\n${value}` : value;
  }
  return fields;
}
