import type { Evidence, EvidenceSet } from '@strata/model';
import type { Scrub } from './scrub';

export { knownSecrets } from './known-secrets';
export { bounded, nodeEvidence } from './node-evidence';
export { redacted, Scrub } from './scrub';

/** Evidence without anything that the scrub knows or takes for a secret. */
export function scrubbed(evidence: readonly Evidence[], scrub: Scrub): EvidenceSet {
  const clean = evidence.map((e) => ({ ...e, ...(e.text === undefined ? {} : { text: scrub.text(e.text) }), ...(e.missing === undefined ? {} : { missing: scrub.text(e.missing) }) }));
  return { evidence: clean, scrubbed: scrub.taken };
} // prettier-ignore
