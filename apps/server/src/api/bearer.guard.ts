import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { ApiRole } from '@strata/model';
import { hashToken } from '@strata/pki';
import type { Request } from './http';
import { Edges } from '../serve/edges';
import { ProblemError } from './problem';
import { allowed, roles, routePolicy } from './route-policy';

/** Who asks. */
export interface Bearer {
  name: string;
  role: ApiRole;
}
export type Asked = Request & { bearer?: Bearer };

/** Lets a request through when its bearer token is known and its role may use the route. A route without a policy is refused. */
@Injectable()
export class BearerGuard implements CanActivate {
  constructor(private readonly edges: Edges) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<Asked>();
    const path = request.route?.path ?? '';
    if (routePolicy[`${request.method} ${path}`] === 'public') return true;
    const bearer = await this.bearerOf(request);
    if (!bearer)
      throw new ProblemError(401, 'unauthenticated', {
        title: 'who are you?',
        detail: 'the request carries no token that this server knows',
        remedy: 'send `Authorization: Bearer TOKEN`; the first one is in secrets/admin.token of the server',
      });
    if (!allowed(bearer.role, request.method, path))
      throw new ProblemError(403, 'forbidden', {
        title: 'not allowed',
        detail: `the role ${bearer.role} may not ${request.method} ${path}`,
        remedy: 'ask an administrator for a token of a higher role',
      });
    request.bearer = bearer;
    return true;
  }

  private async bearerOf(request: Request): Promise<Bearer | null> {
    const token = /^Bearer (\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (token === undefined) return null;
    const known = await this.edges.store.apiTokens.find(hashToken(token)); // found by the hash of 192 random bits: nothing to time
    const role = roles.find((r) => r === known?.role);
    return known && role ? { name: known.name, role } : null;
  }
}
