import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSpecFile } from './read-spec';

const pem = '-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n';
let dir: string;
beforeAll(() => void (dir = mkdtempSync('/tmp/strata-ca-')));
afterAll(() => rmSync(dir, { recursive: true }));
function spec(certificates: string, storage = ''): string {
  const path = join(dir, 'cluster.yaml');
  const node = '{ name: n1, address: 10.0.0.1, role: control-plane, ssh: {} }';
  writeFileSync(
    path,
    `apiVersion: strata/v1\nkind: Cluster\nmetadata: { name: home }\nspec:\n  network: { caCertificates: [${certificates}] }\n  nodes: [${node}]\n${storage}`,
  );
  return path;
}

test('a file is read from beside the spec, and only its certificates are taken over', () => {
  writeFileSync(join(dir, 'ca.pem'), `subject=company\n${pem}-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n`);
  expect(readSpecFile(spec('file:ca.pem')).spec.spec.network.caCertificates).toEqual([pem]);
});
test.each(['metadata', 'objects'] as const)('those of the storage are read, too: %s', (part) => {
  writeFileSync(join(dir, 'theirs.pem'), pem);
  const of = {
    metadata: '{ kind: external, url: "postgres://a@db.example/a", passwordFrom: "env:P", caCertificates: [file:theirs.pem] }',
    objects: '{ kind: s3, endpoint: "https://s3.example", bucket: ours, accessKeyFrom: "env:A", secretKeyFrom: "env:S", caCertificates: [file:theirs.pem] }',
  };
  expect(readSpecFile(spec('', `  storage: { kind: juicefs, ${part}: ${of[part]} }\n`)).spec.spec.storage[part]?.caCertificates).toEqual([pem]);
});
test.each([
  ['nowhere.pem', /nowhere\.pem cannot be read/],
  ['cluster.yaml', /cluster\.yaml holds no certificate/],
])('%s is refused with its place', (name, words) => {
  expect(() => readSpecFile(spec(`file:${name}`))).toThrow(words);
});
