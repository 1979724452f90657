import { z } from 'zod';

/** The run that a step belongs to, where what it did counts in that run only. */
export const RunId = z.string().regex(/^[A-Za-z0-9-]{1,64}$/);
