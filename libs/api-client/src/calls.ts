import { randomUUID } from 'node:crypto';
import { Problem } from '@strata/model';
import { z } from 'zod';
import { ApiError, ConnectionError, UnexpectedAnswer } from './api-error';
import { type ApiAnswer, type ApiRequest, textOf, type Transport } from './transport';

export interface ClientOptions {
  token: string;
  /** How long an answer may take (ms). */
  timeoutMs?: number;
  /** For how long a server that is just restarting is tried again (ms). */
  patienceMs?: number;
  signal?: AbortSignal;
}
interface Call<T> {
  method: ApiRequest['method'];
  path: string;
  body?: unknown;
  answer: z.ZodType<T>;
  /** When the answer takes longer than others do (ms). */
  timeoutMs?: number;
}
/** How one call is made: its bearer, its deadline, a server that is just restarting, and what an answer has to be. */
export class ApiCalls {
  constructor(
    protected readonly transport: Transport,
    protected readonly options: ClientOptions,
  ) {}

  close(): void {
    this.transport.close();
  }
  protected async bytes(path: string): Promise<ApiAnswer> {
    const answer = await this.transport.send({ method: 'GET', path, headers: this.headers, timeoutMs: this.timeoutMs, signal: this.options.signal });
    if (answer.status !== 200) throw await refusal(answer, `GET ${path}`);
    return answer;
  }

  protected get timeoutMs(): number {
    return this.options.timeoutMs ?? 30_000;
  }
  protected get headers(): Record<string, string> {
    return { authorization: `Bearer ${this.options.token}` };
  }
  protected get<T>(path: string, answer: z.ZodType<T>): Promise<T> {
    return this.call({ method: 'GET', path, answer });
  }
  protected async call<T>(call: Call<T>): Promise<T> {
    return parsedAs(call.answer, await this.text(call), `${call.method} ${call.path}`);
  }
  protected async text(call: Pick<Call<unknown>, 'method' | 'path' | 'body' | 'timeoutMs'>): Promise<string> {
    const { method, path } = call;
    const headers = { ...this.headers, ...(method === 'GET' ? {} : { 'idempotency-key': randomUUID() }) };
    const body = call.body === undefined ? undefined : JSON.stringify(call.body);
    const until = performance.now() + (this.options.patienceMs ?? 3_000);
    for (let pauseMs = 100; ; pauseMs = Math.min(pauseMs * 2, 1_000)) {
      try {
        const answer = await this.transport.send({ method, path, headers, body, timeoutMs: call.timeoutMs ?? this.timeoutMs, signal: this.options.signal });
        if (answer.status >= 400) throw await refusal(answer, `${method} ${path}`);
        return await textOf(answer);
      } catch (error) {
        const again = error instanceof ConnectionError && (error.reason === 'refused' || error.reason === 'lost');
        if (!again || performance.now() + pauseMs > until) throw error;
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    }
  }
}

/** An answer as what it is to be. @throws UnexpectedAnswer */
export function parsedAs<T>(answer: z.ZodType<T>, text: string, what: string): T {
  const parsed = answer.safeParse(text === '' ? undefined : jsonOf(text, what));
  if (parsed.success) return parsed.data;
  throw new UnexpectedAnswer(`${what}: the answer is not what was expected: ${z.prettifyError(parsed.error)}`, { cause: parsed.error });
}
export function jsonOf(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UnexpectedAnswer(`${what}: the answer is not JSON: ${text.slice(0, 80)}`, { cause });
  }
}
/** What a refusing answer says. */
export async function refusal(answer: ApiAnswer, what: string): Promise<Error> {
  const text = await textOf(answer);
  try {
    return new ApiError(Problem.parse(JSON.parse(text)), what);
  } catch (cause) {
    return new UnexpectedAnswer(`${what}: status ${answer.status} without a reason that can be read: ${text.slice(0, 120)}`, { cause });
  }
}
