import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { Problem } from '@strata/model';
import type { Response } from './http';
import type { Log } from '../serve/log';
import { ProblemError } from './problem';

/** Every error that leaves the API: problem+json, with a remedy. What is our own fault is logged whole and told in one line. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const response = host.switchToHttp().getResponse<Response>();
    const problem = this.problemOf(error);
    if (response.headersSent) {
      response.end();
      return;
    }
    response.status(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  }

  private problemOf(error: unknown): Problem {
    if (error instanceof ProblemError) return error.body();
    if (error instanceof HttpException) return ofHttp(error);
    const status = (error as { status?: unknown } | null)?.status; // body-parser: bad JSON, too large
    if (typeof status === 'number' && status >= 400 && status < 500)
      return plain(status, 'bad-request', { detail: error instanceof Error ? error.message : 'the request cannot be read', remedy: 'correct the request' });
    this.log.error({ err: error }, 'a request failed inside');
    return plain(500, 'internal', { detail: 'the server failed inside; its log says why', remedy: 'look at the log of the control server, then try again' });
  }
}

function ofHttp(error: HttpException): Problem {
  const status = error.getStatus();
  if (status === 404) return plain(404, 'not-found', { detail: error.message, remedy: 'see the routes of the API in its OpenAPI document' });
  return plain(status, status === 400 ? 'bad-request' : 'refused', { detail: error.message, remedy: 'correct the request' });
}
const plain = (status: number, code: string, { detail, remedy }: { detail: string; remedy: string }): Problem => ({
  type: `urn:strata:problem:${code}`,
  title: code.replaceAll('-', ' '),
  status,
  detail,
  remedy,
  code,
});
