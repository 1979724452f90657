import type { IncomingMessage, ServerResponse } from 'node:http';

/** What is used here of Express's request and response. */
export interface Request extends IncomingMessage {
  method: string;
  path: string;
  body: unknown;
  route?: { path?: string };
  query: Record<string, unknown>;
  header(name: string): string | undefined;
}
export interface Response extends ServerResponse {
  status(code: number): this;
  type(contentType: string): this;
  send(body: string): this;
}
