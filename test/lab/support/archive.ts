import { gunzipSync } from 'node:zlib';

/** Every file of a gzipped tar, by its path below the archive's own folder. */
export function readTarGz(bytes: Buffer): Map<string, Buffer> {
  const tar = gunzipSync(bytes);
  const files = new Map<string, Buffer>();
  const text = (at: number, length: number): string => tar.toString('utf8', at, at + length).split('\0')[0] ?? '';
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0;) {
    const size = parseInt(text(at + 124, 12), 8);
    const path = [text(at + 345, 155), text(at, 100)].filter(Boolean).join('/');
    files.set(path.slice(path.indexOf('/') + 1), tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** What of these secrets stands in a text, however it is written: as it is, hex, base64 at any offset, and all of that broken over lines. */
export function secretsIn(canaries: ReadonlyMap<string, Buffer>, bytes: Buffer): string[] {
  const whole = bytes.toString('latin1');
  const texts = [whole, whole.replace(/\s+\d{4}-\d\d-\d\dT\S+ \S+ [^\s:]+: |\s+|\\[nrt]/g, '')];
  return [...canaries].flatMap(([what, value]) => {
    const base = [0, 1, 2].map((lead) => Buffer.concat([Buffer.alloc(lead), value]).toString('base64').replace(/=+$/, '').slice(lead === 0 ? 0 : lead + 1, -1)); // prettier-ignore
    const forms = [value.toString('latin1'), value.toString('hex'), ...base, ...base.map((b) => b.replaceAll('+', '-').replaceAll('/', '_'))];
    return forms.some((form) => texts.some((text) => text.includes(form))) ? [what] : [];
  });
}
