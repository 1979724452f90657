/** One request to the control server. Paths begin with `/`. */
export interface ApiRequest {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  headers?: Readonly<Record<string, string>>;
  /** JSON text. */
  body?: string;
  /** Instead: bytes as they come. An answer ahead of their end leaves the rest unsent. */
  stream?: { pieces: AsyncIterable<Uint8Array>; size: number };
  /** How long the answer may let us wait for its head (what is sent begins the time anew), and later for each piece of its body (ms). */
  timeoutMs: number;
  signal?: AbortSignal;
}
/** The head of an answer, and its body as it comes. `body` must be read to its end or left by breaking out of the loop. */
export interface ApiAnswer {
  status: number;
  headers: Readonly<Record<string, string>>; // names in lower case
  body: AsyncIterable<Uint8Array>;
}
/** The way to one control server. @throws ConnectionError */
export interface Transport {
  send(request: ApiRequest): Promise<ApiAnswer>;
  /** Closes idle connections. */
  close(): void;
}

/** All of an answer's body, as text. */
export async function textOf(answer: ApiAnswer): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of answer.body) text += decoder.decode(piece, { stream: true });
  return text + decoder.decode();
}
/** An answer's body, line by line as it comes. */
export async function* linesOf(answer: ApiAnswer): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of answer.body) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}
