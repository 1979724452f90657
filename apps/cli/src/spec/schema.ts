import { ClusterSpec } from '@strata/model';
import { z } from 'zod';

/** The JSON Schema of what a person writes (defaults may be left out), made from the one schema there is. Rules across fields are `strata validate`'s. */
export function schemaText(): string {
  const schema = z.toJSONSchema(ClusterSpec, { io: 'input', target: 'draft-7' });
  return `${JSON.stringify({ ...schema, title: 'A cluster of Strata' }, null, 2)}\n`;
}
