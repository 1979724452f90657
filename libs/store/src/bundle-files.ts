import { jsonColumn, type Db } from './db';

export interface BundleSignerRecord {
  fingerprint: string;
  by: string;
  at: Date;
}
export interface BundleFileRecord {
  name: string;
  version: string;
  digest: string; // sha256 of its manifest
  signer: string;
  summary: unknown; // what it brought
  by: string;
  at: Date;
}

/** Whose bundle files are taken, and which were. */
export class BundleFiles {
  constructor(private readonly db: Db) {}

  signers(): Promise<BundleSignerRecord[]> {
    return this.db.run((sql) => sql.bundleSigner.findMany({ orderBy: { at: 'asc' } }));
  }
  /** A second time changes nothing. */
  async trust(fingerprint: string, by: string): Promise<void> {
    await this.db.run((sql) => sql.bundleSigner.upsert({ where: { fingerprint }, create: { fingerprint, by }, update: {} }));
  }
  /** Whether it was trusted. */
  async untrust(fingerprint: string): Promise<boolean> {
    return (await this.db.run((sql) => sql.bundleSigner.deleteMany({ where: { fingerprint } }))).count > 0;
  }

  /** All that were taken, the latest first. */
  taken(): Promise<BundleFileRecord[]> {
    return this.db.run((sql) => sql.bundleFile.findMany({ orderBy: { at: 'desc' } }));
  }
  ofName(name: string): Promise<BundleFileRecord[]> {
    return this.db.run((sql) => sql.bundleFile.findMany({ where: { name } }));
  }
  /** Notes one that was taken; the same again keeps when it came first. */
  async take(file: Omit<BundleFileRecord, 'at'>): Promise<BundleFileRecord> {
    const { name, version } = file;
    return this.db.run((sql) =>
      sql.bundleFile.upsert({ where: { name_version: { name, version } }, create: { ...file, summary: jsonColumn(file.summary) }, update: {} }),
    );
  }
}
