const der = (tag: number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length < 128 ? [body.length] : body.length < 256 ? [0x81, body.length] : [0x82, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([tag, ...length]), body]);
};
const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts);
const attribute = (oid: string, value: string): Buffer => der(0x31, sequence(der(0x06, Buffer.from(oid, 'hex')), der(0x0c, Buffer.from(value))));

/** A PKCS#10 request of this subject, as far as a reader of the subject can tell: its key and signature are nobody's. */
export function signingRequestPem({ commonName, organizations }: { commonName: string; organizations: readonly string[] }): string {
  const subject = sequence(...organizations.map((o) => attribute('55040a', o)), attribute('550403', commonName));
  const key = sequence(sequence(der(0x06, Buffer.from('2b6570', 'hex'))), der(0x03, Buffer.alloc(33)));
  const info = sequence(der(0x02, Buffer.from([0])), subject, key, der(0xa0));
  const request = sequence(info, sequence(der(0x06, Buffer.from('2b6570', 'hex'))), der(0x03, Buffer.alloc(65)));
  const lines = request.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}
