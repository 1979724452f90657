import { z } from 'zod';

/** One file of a support archive, or why it is not there. `cut`: only its end. */
export const Evidence = z
  .object({ path: z.string().regex(/^[A-Za-z0-9._@:+-]+(\/[A-Za-z0-9._@:+-]+)*$/), text: z.string().optional(), missing: z.string().optional(), cut: z.boolean().optional() })
  .meta({ id: 'Evidence' }); // prettier-ignore
export type Evidence = z.infer<typeof Evidence>;
/** What one place (the control host, a node) gives to a support archive, scrubbed of every secret that it knows. `scrubbed`: how often one was taken out. */
export const EvidenceSet = z.object({ evidence: z.array(Evidence), scrubbed: z.int() }).meta({ id: 'EvidenceSet' });
export type EvidenceSet = z.infer<typeof EvidenceSet>;

/** How much one file, and one place, may bring: the newest part counts most. Characters. */
export const evidenceLimits = { file: 300_000, place: 5_000_000 } as const;

/** The end of a text that is too long, from a whole line on. */
export function newestPart(text: string, limit: number = evidenceLimits.file): { text: string; cut: boolean } {
  if (text.length <= limit) return { text, cut: false };
  const end = text.slice(-limit);
  return { text: end.slice(end.indexOf('\n') + 1), cut: true };
}
