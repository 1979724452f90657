export type RefusedBecause =
  | 'not-a-bundle-file'
  | 'manifest-too-large'
  | 'bad-signature'
  | 'unknown-signer'
  | 'bad-manifest'
  | 'needs-newer-strata'
  | 'expired'
  | 'older'
  | 'other-content'
  | 'no-room'
  | 'truncated'
  | 'not-a-plain-file'
  | 'path-leads-out'
  | 'not-listed'
  | 'twice'
  | 'missing'
  | 'wrong-size'
  | 'wrong-digest'
  | 'not-in-form'
  | 'bad-bundle';

/** Why a bundle file is not taken. Nothing was written but in a private folder that is gone again. */
export class BundleFileRefused extends Error {
  override readonly name = 'BundleFileRefused';
  constructor(
    readonly code: RefusedBecause,
    message: string,
    readonly remedy: string,
  ) {
    super(message);
  }
}

const anew = 'bring the file over again, and compare its sha256 with that of the original; nothing of it was kept';
/** The file is not as it was signed. */
export const damaged = (code: RefusedBecause, message: string): BundleFileRefused => new BundleFileRefused(code, message, anew);
