import type { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { BundleFileRefused, compareVersions, takeBundleFile, type TakenFile } from '@strata/artifacts';
import { artifactKey, type BundleFilePushed, type BundleFileTaken, CatalogEntry } from '@strata/model';
import type { BundleFileRecord } from '@strata/store';
import { z } from 'zod';
import { conflict, ProblemError } from '../api/problem';
import { ObtainArtifacts } from '../artifacts/obtain-artifacts';
import { Edges } from '../serve/edges';
import { serverVersion } from '../serve/version';
import { TrustBundleKeys } from './trust-bundle-keys';

/** What is kept of a file that was taken, besides what it brought. */
const Summary = z.object({
  created: z.string(),
  expires: z.string(),
  artifacts: z.array(z.string()),
  bundles: z.array(z.string()),
  catalog: z.array(CatalogEntry),
});
type Summary = z.infer<typeof Summary>;

/** Bundle files that come from outside: each is read to its end, and proven, before anything of it is kept. */
@Injectable()
export class TakeBundleFiles {
  @Inject() private readonly edges!: Edges;
  @Inject() private readonly artifacts!: ObtainArtifacts;
  @Inject() private readonly trust!: TrustBundleKeys;
  private busy = false;

  async all(): Promise<BundleFileTaken[]> {
    return (await this.edges.store.bundleFiles.taken()).map(shown);
  }

  /** One at a time. @throws ProblemError with the reason, and then nothing was changed */
  async take(source: Readable, by: string): Promise<BundleFilePushed> {
    if (this.busy) throw conflict('bundle-file-busy', 'another bundle file is just being taken', 'push this one when that is done (strata bundle list)');
    this.busy = true;
    // reading must not end the request, by which the answer still has to go
    const pieces = source.iterator({ destroyOnReturn: false }) as AsyncGenerator<Uint8Array>;
    try {
      const file = await takeBundleFile(pieces, this.checks(), { store: this.artifacts.store, bundlesDir: this.edges.settings.pushedDir });
      return { taken: shown(await this.note(file, by)), added: file.added.length, kept: file.kept };
    } catch (error) {
      if (!(error instanceof BundleFileRefused)) throw error;
      await this.edges.store.audit.record({ by, action: 'bundle-file.refuse', object: 'bundle-files', body: { code: error.code, because: error.message } });
      throw refused(error);
    } finally {
      this.busy = false;
      await pieces.return(undefined).catch(() => undefined);
      source.resume();
    }
  }

  private checks(): Parameters<typeof takeBundleFile>[1] {
    return {
      now: this.edges.now(),
      strata: serverVersion,
      trusted: (fingerprint) => this.trust.trusts(fingerprint),
      taken: async (name) => (await this.edges.store.bundleFiles.ofName(name)).sort((a, b) => compareVersions(b.version, a.version))[0] ?? null,
    };
  }

  private async note({ manifest: m, digest, signer, added, kept }: TakenFile, by: string): Promise<BundleFileRecord> {
    const summary: Summary = {
      ...{ created: m.created, expires: m.expires, catalog: m.catalog },
      ...{ artifacts: m.artifacts.map(artifactKey), bundles: m.bundles.map(artifactKey) },
    };
    const file = { name: m.name, version: m.version, digest, signer, summary, by };
    const record = await this.edges.store.transaction(async (work) => {
      const taken = await work.bundleFiles.take(file);
      await work.audit.record({ by, action: 'bundle-file.take', object: `bundle-file/${m.name}@${m.version}`, body: { digest, signer, added, kept } });
      return taken;
    });
    this.artifacts.catalogChanged();
    return record;
  }
}

const refused = (error: BundleFileRefused): ProblemError =>
  new ProblemError(422, `bundle-file-${error.code}`, {
    title: 'the bundle file is refused',
    detail: `the bundle file is refused, and nothing of it was kept: ${error.message}`,
    remedy: error.remedy,
    cause: error,
  });

function shown({ name, version, digest, signer, summary, by, at }: BundleFileRecord): BundleFileTaken {
  const { catalog: _, ...brought } = Summary.parse(summary);
  return { name, version, signer, digest, ...brought, at: at.toISOString(), by };
}
