import { csrSubject } from './csr-subject';

/** Made by openssl: `openssl req -new -newkey ec … -subj SUBJECT`. */
const requests = {
  '/O=system:nodes/CN=system:node:n2': `-----BEGIN CERTIFICATE REQUEST-----
MIHrMIGSAgEAMDAxFTATBgNVBAoMDHN5c3RlbTpub2RlczEXMBUGA1UEAwwOc3lz
dGVtOm5vZGU6bjIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASovjvyXV23x+8o
85gWW/EUxYTd2a9YGUSZf4SbSyWCrsSy9wCdGkiIkro8MUBLDF9wvpPv4ujidSNi
gv5va1FeoAAwCgYIKoZIzj0EAwIDSAAwRQIgVNVNlExfedoakm9R2ptDMgddS7Ih
GdKJDV7Gh9ptEfgCIQCg2nW8enLmvYOPdnEm+tr+6H08WFryhMDHnXnhpQ2nbQ==
-----END CERTIFICATE REQUEST-----`,
  '/O=system:nodes/CN=system:node:n2/CN=system:node:n1': `-----BEGIN CERTIFICATE REQUEST-----
MIIBBTCBqwIBADBJMRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxFzAVBgNVBAMMDnN5
c3RlbTpub2RlOm4yMRcwFQYDVQQDDA5zeXN0ZW06bm9kZTpuMTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABMqlIf7K+bsATYuL7HypbPU+KS+0HDrCGPokSlCKVtMF
yBk4LM7mgmtwx69eZ7LgOSvPBH5/+K4HVjti7Nj3BwKgADAKBggqhkjOPQQDAgNJ
ADBGAiEA4WIiioIHOvt0E8dG8WOv0HrL99Hf+UffUF4LLs3iLcYCIQC06g0tC1gy
bnzqjXDxkhMJ4/0sB2WbccIDYYfZjPfaAQ==
-----END CERTIFICATE REQUEST-----`,
  '/O=system:nodes/OU=x/CN=system:node:n2': `-----BEGIN CERTIFICATE REQUEST-----
MIH3MIGeAgEAMDwxFTATBgNVBAoMDHN5c3RlbTpub2RlczEKMAgGA1UECwwBeDEX
MBUGA1UEAwwOc3lzdGVtOm5vZGU6bjIwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AASMIELblTCGVPsBEXZPoB3uW9FXWDnP3qCSU/Fp7pDiU85X2igWmEgTbTo8k0Rz
BHaQmRozPncbhehanhbzLhBEoAAwCgYIKoZIzj0EAwIDSAAwRQIgUA2RS/iahb7K
d0/rdEldWcSbQ5KNyboqcMgWAfLnQuQCIQDJxYs2crJKD6WnPBcOqqQf8m/R+o69
iIz9orYBMX9vTA==
-----END CERTIFICATE REQUEST-----`,
  '/O=system:nodes/O=system:masters/CN=system:node:n2': `-----BEGIN CERTIFICATE REQUEST-----
MIIBBTCBqwIBADBJMRUwEwYDVQQKDAxzeXN0ZW06bm9kZXMxFzAVBgNVBAoMDnN5
c3RlbTptYXN0ZXJzMRcwFQYDVQQDDA5zeXN0ZW06bm9kZTpuMjBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABHqLIcTkIetN9jt1rGWjgUQdj3NRKVJhgPqAjVwLojzz
SxHrnw8pmKEArjeQWs926CuoG4obsy8Kfe1GkYvP/QugADAKBggqhkjOPQQDAgNJ
ADBGAiEApGNvRJlpgCztsTVKqN7Nwvo9Q/+fp5wQV03lfSHyXvoCIQCbSipVAfLw
S8Y0MPERqVgIhDMgMsEHn7zrcEq9puK/nA==
-----END CERTIFICATE REQUEST-----`,
};
const nobody = { commonName: '', organizations: [] };

describe('whose certificate a request asks for', () => {
  it('reads one common name and organizations', () => {
    expect(csrSubject(requests['/O=system:nodes/CN=system:node:n2'])).toEqual({ commonName: 'system:node:n2', organizations: ['system:nodes'] });
    expect(csrSubject(requests['/O=system:nodes/O=system:masters/CN=system:node:n2'])).toEqual({
      commonName: 'system:node:n2',
      organizations: ['system:nodes', 'system:masters'],
    });
  });
  it('gives no name where two readers could see two', () => {
    expect(csrSubject(requests['/O=system:nodes/CN=system:node:n2/CN=system:node:n1'])).toEqual(nobody);
    expect(csrSubject(requests['/O=system:nodes/OU=x/CN=system:node:n2'])).toEqual(nobody);
  });
  it('gives no name for what is no request, or a damaged one', () => {
    const good = requests['/O=system:nodes/CN=system:node:n2'];
    for (const text of ['', 'x', good.replace('REQUEST', 'OTHER'), `${good}\n${good}`]) expect(csrSubject(text)).toEqual(nobody);
    const der = Buffer.from(good.replace(/-----[^-]+-----/g, ''), 'base64');
    const pem = (b: Buffer): string => `-----BEGIN CERTIFICATE REQUEST-----\n${b.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
    for (let n = 0; n < 60; n += 7) expect(csrSubject(pem(der.subarray(0, n)))).toEqual(nobody);
    expect(csrSubject(pem(Buffer.concat([Buffer.from([0x30, 0x80]), der])))).toEqual(nobody); // indefinite length
  });
});
