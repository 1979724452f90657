/** What a tar header says. `size` in bytes (0 for all but files), `mode` as in chmod, `target` of a symbolic link. Owner is root, time is 0. */
export interface UstarEntry {
  path: string;
  type: 'file' | 'directory' | 'symlink';
  mode: number;
  size: number;
  target?: string;
}

const block = 512;

/**
 * The 512-byte ustar header of an entry. Same entry, same bytes: that is what makes our layers reproducible.
 * Throws when a path (255 bytes, split at a "/") or a link target (100 bytes) does not fit, or the size is above 8 GiB.
 */
export function ustarHeader(entry: UstarEntry): Uint8Array {
  const header = new Uint8Array(block);
  const { name, prefix } = splitPath(entry.type === 'directory' ? `${entry.path.replace(/\/$/, '')}/` : entry.path);
  put(header, 0, name);
  put(header, 100, octal(entry.mode, 7));
  put(header, 108, octal(0, 7));
  put(header, 116, octal(0, 7));
  put(header, 124, octal(entry.size, 11));
  put(header, 136, octal(0, 11));
  put(header, 148, '        ');
  put(header, 156, { file: '0', symlink: '2', directory: '5' }[entry.type]);
  const target = encode(entry.target ?? '');
  if (target.length > 100) throw new Error(`tar cannot hold the link target of ${entry.path}: ${target.length} bytes, at most 100`);
  header.set(target, 157);
  put(header, 257, 'ustar\u000000');
  put(header, 329, octal(0, 7));
  put(header, 337, octal(0, 7));
  header.set(prefix, 345);
  const sum = header.reduce((a, b) => a + b, 0);
  put(header, 148, `${octal(sum, 6)}\0 `);
  return header;
}

/** Zero bytes that fill the last block of a file of `size` bytes. */
export function ustarPadding(size: number): Uint8Array {
  return new Uint8Array((block - (size % block)) % block);
}

/** The two empty blocks at the end of a tar. */
export function ustarEnd(): Uint8Array {
  return new Uint8Array(2 * block);
}

/** Bytes of the tar of these entries, end included: for progress and Content-Length. */
export function ustarSize(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + block + Math.ceil(size / block) * block, 2 * block);
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function put(header: Uint8Array, at: number, value: string | Uint8Array): void {
  header.set(typeof value === 'string' ? encode(value) : value, at);
}

function octal(value: number, digits: number): string {
  const text = value.toString(8).padStart(digits, '0');
  if (text.length > digits) throw new Error(`tar cannot hold the number ${value}: at most ${digits} octal digits`);
  return text;
}

function splitPath(path: string): { name: Uint8Array; prefix: Uint8Array } {
  const whole = encode(path);
  if (whole.length <= 100) return { name: whole, prefix: new Uint8Array(0) };
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [encode(path.slice(0, at)), encode(path.slice(at + 1))];
    if (prefix.length <= 155 && name.length > 0 && name.length <= 100) return { name, prefix };
  }
  throw new Error(`tar cannot hold the path ${path}: too long`);
}
