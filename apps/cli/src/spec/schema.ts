import { Bundle, ClusterSpec } from '@strata/model';
import { z } from 'zod';

/** The JSON Schema of what a person writes (defaults may be left out), made from the one schema there is. Rules across fields are `strata validate`'s. */
export const schemaText = (): string => textOf(ClusterSpec, 'A cluster of Strata');
/** The same of `bundle.yaml`; rules across components are `strata bundle lint`'s. */
export const bundleSchemaText = (): string => textOf(Bundle, 'A bundle of Strata');

const textOf = (of: z.ZodType, title: string): string => `${JSON.stringify({ ...z.toJSONSchema(of, { io: 'input', target: 'draft-7' }), title }, null, 2)}\n`;
