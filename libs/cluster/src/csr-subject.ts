export interface Subject {
  commonName: string;
  organizations: string[];
}
/** Never approved: it is no node's name. */
const unreadable: Subject = { commonName: '', organizations: [] };
const commonNameOid = '550403';
const organizationOid = '55040a';
const tag = { sequence: 0x30, set: 0x31, integer: 0x02, oid: 0x06, utf8: 0x0c, printable: 0x13 } as const;

interface Value {
  tag: number;
  body: Buffer;
  rest: Buffer;
}
/** One DER value of definite length. @throws Error on anything else. */
function read(data: Buffer, want: readonly number[]): Value {
  const [type = -1, first = -1] = data;
  if (!want.includes(type)) throw new Error(`tag ${type} where ${want.join('|')} belongs`);
  const bytes = first < 0x80 ? 0 : first & 0x7f;
  if (first < 0 || bytes > 3 || (first >= 0x80 && bytes === 0)) throw new Error('no definite length');
  const length = bytes === 0 ? first : data.readUIntBE(2, bytes);
  const from = 2 + bytes;
  if (from + length > data.length) throw new Error('cut off');
  return { tag: type, body: data.subarray(from, from + length), rest: data.subarray(from + length) };
}
function all(data: Buffer, want: readonly number[]): Value[] {
  const values: Value[] = [];
  for (let rest = data; rest.length > 0;) {
    const value = read(rest, want);
    values.push(value);
    rest = value.rest;
  }
  return values;
}

/**
 * The subject of a PKCS#10 request in PEM. Strict on purpose: one common name, organizations, nothing else, plain strings; whatever
 * differs gives an empty name, so that nobody approves what two readers could read in two ways.
 */
export function csrSubject(pem: string): Subject {
  try {
    const base64 = /^-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*$/.exec(pem)?.[1];
    if (base64 === undefined) return unreadable;
    const info = read(read(Buffer.from(base64, 'base64'), [tag.sequence]).body, [tag.sequence]);
    const name = read(read(info.body, [tag.integer]).rest, [tag.sequence]);
    const attributes = all(name.body, [tag.set])
      .flatMap((set) => all(set.body, [tag.sequence]))
      .map((pair) => {
        const oid = read(pair.body, [tag.oid]);
        return { oid: oid.body.toString('hex'), value: read(oid.rest, [tag.utf8, tag.printable]).body.toString('utf8') };
      });
    const names = attributes.filter((a) => a.oid === commonNameOid);
    const organizations = attributes.filter((a) => a.oid === organizationOid);
    if (names.length !== 1 || names.length + organizations.length !== attributes.length) return unreadable;
    return { commonName: names[0]?.value ?? '', organizations: organizations.map((o) => o.value) };
  } catch {
    return unreadable;
  }
}
