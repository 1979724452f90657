import { gzipSync } from 'node:zlib';
import { ustarEnd, ustarHeader, ustarPadding } from '@strata/model';

/** One file of an archive. */
export interface ArchiveFile {
  path: string;
  text: string;
}

/** A gzipped tar of these files, each 0600. @throws Error when a path does not fit into a tar */
export function tarGz(files: readonly ArchiveFile[]): Buffer {
  const parts = files.flatMap(({ path, text }) => {
    const bytes = Buffer.from(text, 'utf8');
    return [ustarHeader({ path, type: 'file', mode: 0o600, size: bytes.length }), bytes, ustarPadding(bytes.length)];
  });
  return gzipSync(Buffer.concat([...parts, ustarEnd()]));
}
