import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { canonicalJson } from '@strata/model';
import { sealMac } from '@strata/pki';
import type { Response } from './http';
import { defer, from, type Observable, of, switchMap, throwError } from 'rxjs';
import { catchError } from 'rxjs/operators';
import { Edges } from '../serve/edges';
import type { Asked } from './bearer.guard';
import { ProblemError } from './problem';

const waitMs = 100;
const mostWaits = 300;

/** The same `Idempotency-Key` with the same body gets the same answer, and its work is done once; with another body it is refused. */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(private readonly edges: Edges) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const http = context.switchToHttp();
    const request = http.getRequest<Asked>();
    const key = request.header('idempotency-key');
    if (request.method !== 'POST' || key === undefined) return next.handle();
    const at = { route: `${request.bearer?.name ?? ''} ${request.path}`, key: key.slice(0, 200) };
    const response = http.getResponse<Response>();
    return defer(() => from(this.claim(at, request.body))).pipe(
      switchMap((claim) => {
        if (claim.state === 'answered') {
          response.status(claim.status);
          return of(this.open(at, claim.response));
        }
        return next.handle().pipe(
          switchMap((answer: unknown) => from(this.finish(at, response.statusCode, answer))),
          catchError((error: unknown) => from(this.edges.store.idempotency.abandon(at.route, at.key)).pipe(switchMap(() => throwError(() => error)))),
        );
      }),
    );
  }

  private async claim(
    at: { route: string; key: string },
    body: unknown,
  ): Promise<{ state: 'first' } | { state: 'answered'; status: number; response: unknown }> {
    const bodyHash = sealMac(this.edges.keys.planSeal, canonicalJson(body ?? null)); // keyed: bodies may carry passwords
    for (let waits = 0; waits < mostWaits; waits += 1) {
      const claim = await this.edges.store.idempotency.claim({ ...at, bodyHash });
      if (claim.state === 'mismatch')
        throw new ProblemError(422, 'idempotency-mismatch', {
          title: 'this key was used for another request',
          detail: 'the Idempotency-Key was sent before with another body',
          remedy: 'take a fresh key for a new request',
        });
      if (claim.state !== 'running') return claim;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
    throw new ProblemError(409, 'idempotency-running', {
      title: 'still at it',
      detail: 'the first request with this key is not answered yet',
      remedy: 'ask again in a moment',
    });
  }

  /** Answers may carry a token, so they are kept sealed. */
  private async finish(at: { route: string; key: string }, status: number, answer: unknown): Promise<unknown> {
    const sealed = this.edges.keys.master.seal(JSON.stringify(answer ?? null), contextOf(at));
    await this.edges.store.idempotency.finish({ ...at, status, response: { sealed } });
    return answer;
  }
  private open(at: { route: string; key: string }, response: unknown): unknown {
    const { sealed } = response as { sealed: string };
    const answer = JSON.parse(this.edges.keys.master.open(sealed, contextOf(at)).toString('utf8')) as unknown;
    return answer ?? undefined;
  }
}
const contextOf = (at: { route: string; key: string }): string => `idempotency/${at.route}/${at.key}`;
