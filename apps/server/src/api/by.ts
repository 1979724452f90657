import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { Asked } from './bearer.guard';

/** The name of whoever asks, for audit and ledger. */
export const By = createParamDecorator((_: unknown, context: ExecutionContext): string => context.switchToHttp().getRequest<Asked>().bearer?.name ?? 'nobody');
