import { gunzipSync, gzipSync } from 'node:zlib';
import { parseAllDocuments } from 'yaml';
import { keptManifest, withKept } from './helm-record';

const manifest = `---
# Source: db/templates/claim.yaml
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data # where it lies
spec: { storageClassName: "" }
---
# Source: db/templates/map.yaml
apiVersion: v1
kind: ConfigMap
metadata: { name: data }
data:
  text: |
    --- not a document
`;
const pack = (text: string): string => Buffer.from(gzipSync(text).toString('base64'), 'latin1').toString('base64');
const unpack = (packed: string): string => gunzipSync(Buffer.from(Buffer.from(packed, 'base64').toString('latin1'), 'base64')).toString('utf8');

test('what is kept has the policy, everything else is as it was', () => {
  const documents = (text: string): unknown[] => parseAllDocuments(text).map((d) => d.toJS() as unknown).filter((d) => d !== null); // prettier-ignore
  const [claim, map] = documents(manifest) as [{ metadata: object }, object];
  const kept = documents(keptManifest(manifest, ['PersistentVolumeClaim/data']));
  expect(kept).toEqual([{ ...claim, metadata: { ...claim.metadata, annotations: { 'helm.sh/resource-policy': 'keep' } } }, map]);
  expect(keptManifest(manifest, ['PersistentVolumeClaim/other'])).toBe(manifest);
});
test('a record keeps every other byte, numbers that JavaScript cannot hold among them', () => {
  const record = `{"name":"db","config":{"big":9007199254740993,"manifest":"mine"},"manifest":${JSON.stringify(manifest).replaceAll('<', '\\u003c')},"version":3}`;
  const text = unpack(withKept(pack(record), ['PersistentVolumeClaim/data']));
  expect(text).toContain('{"name":"db","config":{"big":9007199254740993,"manifest":"mine"},"manifest":"');
  expect(text.endsWith(',"version":3}')).toBe(true);
  expect((JSON.parse(text) as { manifest: string }).manifest).toContain('helm.sh/resource-policy: keep');
  expect(withKept(pack(record), [])).toBe(pack(record));
});
