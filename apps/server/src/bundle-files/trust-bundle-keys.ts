import { Injectable } from '@nestjs/common';
import { fingerprintOf } from '@strata/artifacts';
import type { BundleTrust } from '@strata/model';
import { notFound } from '../api/problem';
import { Edges } from '../serve/edges';

/** Whose bundle files this server takes: its own, and those that an admin trusts by the fingerprint of their key. */
@Injectable()
export class TrustBundleKeys {
  constructor(private readonly edges: Edges) {}

  get own(): string {
    return fingerprintOf(this.edges.keys.bundles.publicKey);
  }
  async show(): Promise<BundleTrust> {
    const signers = await this.edges.store.bundleFiles.signers();
    return { own: this.own, trusted: signers.map(({ fingerprint, at, by }) => ({ fingerprint, at: at.toISOString(), by })) };
  }
  async trusts(fingerprint: string): Promise<boolean> {
    return fingerprint === this.own || (await this.edges.store.bundleFiles.signers()).some((s) => s.fingerprint === fingerprint);
  }
  async trust(fingerprint: string, by: string): Promise<BundleTrust> {
    await this.edges.store.transaction(async (work) => {
      await work.bundleFiles.trust(fingerprint, by);
      await work.audit.record({ by, action: 'bundle-key.trust', object: `bundle-key/${fingerprint}`, body: {} });
    });
    return this.show();
  }
  /** What was taken before stays. */
  async untrust(fingerprint: string, by: string): Promise<BundleTrust> {
    const was = await this.edges.store.transaction(async (work) => {
      const gone = await work.bundleFiles.untrust(fingerprint);
      if (gone) await work.audit.record({ by, action: 'bundle-key.untrust', object: `bundle-key/${fingerprint}`, body: {} });
      return gone;
    });
    if (!was) throw notFound(`trusted bundle key ${fingerprint}`, fingerprint === this.own ? 'it is this server\'s own, which it always trusts' : 'strata bundle trust --list names those that are trusted'); // prettier-ignore
    return this.show();
  }
}
