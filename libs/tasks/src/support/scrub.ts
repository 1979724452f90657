/**
 * Takes secrets out of text that leaves a machine. It is the second net: what is collected is an allow-list that holds none. Known secrets are found as
 * they are, in hex and base64 at any offset, as JSON and URLs write them, and broken over lines; unknown ones by their form.
 */
export const redacted = '[redacted]';
const shortest = 8; // shorter words are in every text

/** The forms in which a secret may be written. Bytes are given as text of one character a byte (latin1). */
function formsOf(secret: string): string[] {
  const bytes = bytesOf(secret);
  const base = [0, 1, 2].map((lead) => {
    const text = base64([...new Array<number>(lead).fill(0), ...bytes]);
    const from = lead === 0 ? 0 : lead + 1; // the first characters hold bits of what stands before
    return text.replace(/=+$/, '').slice(from, -1); // and the last one those of what comes after
  });
  const urlSafe = base.map((b) => b.replaceAll('+', '-').replaceAll('/', '_'));
  const printable = isPrintable(secret) ? [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)] : [];
  return [...printable, hex(bytes), hex(bytes).toUpperCase(), ...base, ...urlSafe];
}
/** A key or certificate in several lines is a secret in each of its lines: one alone already tells too much. */
function partsOf(secret: string): string[] {
  const trimmed = isPrintable(secret) ? secret.trim() : secret;
  if (!trimmed.includes('\n')) return [trimmed];
  const lines = trimmed.split('\n').map((l) => l.trim());
  return lines.filter((l) => l.length >= 16 && !l.startsWith('-----'));
}
/** Pieces of a long one: a line of a log may have been cut off in the middle of it. */
function chunksOf(secret: string): string[] {
  if (secret.length < 64 || !isPrintable(secret)) return [];
  return Array.from({ length: Math.floor(secret.length / 32) }, (_, i) => secret.slice(i * 32, i * 32 + 32));
}
const isPrintable = (text: string): boolean => /^[\x09\x0a\x0d\x20-\x7e\u00a0-\uffff]*$/.test(text);

const hex = (bytes: readonly number[]): string => bytes.map((b) => b.toString(16).padStart(2, '0')).join('');
const base64 = (bytes: readonly number[]): string => btoa(String.fromCharCode(...bytes));
const bytesOf = (text: string): number[] => (isPrintable(text) ? [...new TextEncoder().encode(text)] : [...text].map((c) => c.charCodeAt(0) & 0xff));

/** What looks like a secret, whoever made it. Each keeps what says what it was. */
const shapes: readonly [RegExp, string][] = [
  [/-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----[\s\S]*?(-----END \1-----|$)/g, `-----BEGIN $1-----${redacted}`],
  [/\bJ1[0-9a-f]{64}\.[A-Za-z0-9_-]+/g, `J1${redacted}`],
  [/\bstrata_(admin|api|join)_[A-Za-z0-9_-]{20,}/g, `strata_$1_${redacted}`],
  [/\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g, redacted], // a bootstrap token
  [/\bK10[0-9a-f]{64}::[^\s"']+/g, redacted], // a token of K3s
  [/\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/g, redacted], // a JWT
  [/\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{12,}/gi, `$1 ${redacted}`],
  [/([a-z][a-z0-9+.-]*:\/\/[^\s:/@"']*):[^\s/@"']+@/gi, `$1:${redacted}@`],
  [/\$(?:1|5|6|y|2[aby])\$[./A-Za-z0-9$,=-]{20,}/g, redacted], // a hashed password
  [/((?:[A-Za-z0-9]*[_-])?(?:password|passwd|passphrase|secret|token|auth|api[_-]?key|client-key-data|private[_-]?key)\\?["']?\s*[:=]\s*\\?["']?)(?!\[redacted|<|null\b|true\b|false\b|\[|\{|\\?["'])[^\s"',}\\]{6,}/gi, `$1${redacted}`],
]; // prettier-ignore

export class Scrub {
  private readonly needles: string[];
  /** How often something was taken out so far. */
  taken = 0;

  /** @param secrets what must not leave; keys in several lines count line by line. Too short ones are left to their form. */
  constructor(secrets: Iterable<string>) {
    const parts = [...new Set(secrets)].flatMap(partsOf).filter((s) => s.length >= shortest);
    const forms = [...parts.flatMap(formsOf), ...parts.flatMap(chunksOf)];
    this.needles = [...new Set(forms)].filter((f) => f.length >= shortest).sort((a, b) => b.length - a.length);
  }

  text(input: string): string {
    let out = this.cut(
      input,
      this.found(input, (needle) => needle, null),
    );
    const squeezed = squeeze(out);
    out = this.cut(
      out,
      this.found(squeezed.text, (needle) => needle.replace(/\s+/g, ''), squeezed.at),
    );
    for (const [shape, instead] of shapes)
      out = out.replace(shape, (...m: unknown[]) => {
        this.taken += 1;
        return instead.replace(/\$(\d)/g, (_, n: string) => (typeof m[Number(n)] === 'string' ? (m[Number(n)] as string) : ''));
      });
    return out;
  }

  /** Where needles stand, as ranges of the text that `at` maps back to. */
  private found(text: string, form: (needle: string) => string, at: Uint32Array | null): [number, number][] {
    const ranges: [number, number][] = [];
    for (const n of this.needles) {
      const needle = form(n);
      if (needle.length < shortest) continue;
      for (let i = text.indexOf(needle); i >= 0; i = text.indexOf(needle, i + needle.length)) {
        const last = i + needle.length - 1;
        ranges.push(at ? [at[i] ?? 0, (at[last] ?? 0) + 1] : [i, last + 1]);
      }
    }
    return ranges.sort((a, b) => a[0] - b[0]);
  }
  private cut(text: string, ranges: readonly [number, number][]): string {
    let [out, done] = ['', 0];
    for (const [start, end] of ranges) {
      const [from, to] = widened(text, start, end);
      if (to <= done) continue;
      if (from >= done) {
        out += text.slice(done, from) + redacted;
        this.taken += 1;
      }
      done = to;
    }
    return out + text.slice(done);
  }
}

/** What hangs on to a secret without a gap is of it: the ends of a base64 text, the rest of a long key. */
function widened(text: string, start: number, end: number): [number, number] {
  let [from, to] = [start, end];
  while (from > 0 && /[A-Za-z0-9+/_]/.test(text[from - 1] ?? '')) from -= 1;
  while (to < text.length && /[A-Za-z0-9+/_=]/.test(text[to] ?? '')) to += 1;
  return [from, to];
}

const gap = /\s+(?:\d{4}-\d\d-\d\dT\S+ \S+ [^\s:]{1,80}: )?|\\[nrt]/gy; // white space, a line's head as journalctl writes it, or what JSON writes for a line's end
/** A text without its gaps, and where each of its characters stood: a secret that was broken over lines is whole again. */
function squeeze(text: string): { text: string; at: Uint32Array } {
  const at = new Uint32Array(text.length);
  const parts: string[] = [];
  let n = 0;
  for (let i = 0, from = 0; i <= text.length;) {
    gap.lastIndex = i;
    const c = text.charCodeAt(i);
    const skips = (c <= 32 || c === 92 || c === 0xa0) && gap.test(text) ? gap.lastIndex - i : 0;
    if (skips > 0 || i === text.length) {
      parts.push(text.slice(from, i));
      i += Math.max(skips, 1);
      from = i;
      continue;
    }
    at[n++] = i++;
  }
  return { text: parts.join(''), at };
}
