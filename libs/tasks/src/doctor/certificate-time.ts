/** From when until when a certificate is good, ms since 1970. Null when the text holds no certificate. */
export function validity(pem: string): { from: number; until: number } | null {
  const body = /-----BEGIN CERTIFICATE-----([\sA-Za-z0-9+/=]+)-----END CERTIFICATE-----/.exec(pem)?.[1];
  if (body === undefined) return null;
  const der = atob(body.replace(/\s+/g, ''));
  // Validity is the first SEQUENCE of two times (UTCTime 0x17, GeneralizedTime 0x18); nothing before it in a certificate has that form
  for (let i = 0; i + 4 < der.length; i += 1) {
    if (der.charCodeAt(i) !== 0x30) continue;
    const first = timeAt(der, i + 2);
    const second = first && timeAt(der, first.end);
    if (first && second && second.end === i + 2 + der.charCodeAt(i + 1)) return { from: first.ms, until: second.ms };
  }
  return null;
}

function timeAt(der: string, at: number): { ms: number; end: number } | null {
  const [tag, length] = [der.charCodeAt(at), der.charCodeAt(at + 1)];
  if ((tag !== 0x17 && tag !== 0x18) || !(length > 0 && length < 20)) return null;
  const text = der.slice(at + 2, at + 2 + length);
  const m = /^(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!m) return null;
  const [, y = '', ...rest] = m;
  const [month = 1, day = 1, hour = 0, minute = 0, second = 0] = rest.map(Number);
  const year = y.length === 4 ? Number(y) : Number(y) + (Number(y) < 50 ? 2000 : 1900);
  return { ms: Date.UTC(year, month - 1, day, hour, minute, second), end: at + 2 + length };
}
