import type { MemoryHost } from './memory-host';
import { said } from './memory-programs';
import type { TaskSample } from './native-samples';

/** A certificate in form only. */
export const samplePem = (name: string): string => `-----BEGIN CERTIFICATE-----\n${[...name].map((c) => c.charCodeAt(0).toString(16)).join('').padEnd(64, 'A')}\n-----END CERTIFICATE-----\n`; // prettier-ignore
const proxy = { http: 'http://proxy.example:3128', https: 'http://proxy.example:3128', noProxy: ['localhost', '.strata.internal', '10.0.0.11', 'deb.example'] };
const anchors = '/usr/local/share/ca-certificates';
const bundle = '/etc/ssl/certs/ca-certificates.crt';

/** The program of the package ca-certificates: the vendor's certificates, then those of the machine's owner, as a list and as links. */
export function seedTrustStore(host: MemoryHost): void {
  const vendors = samplePem('a vendor');
  host.files.put(bundle, vendors);
  host.program('update-ca-certificates', () => {
    const names = host.files.names(anchors);
    host.files.put(bundle, vendors + names.map((n) => host.files.text(`${anchors}/${n}`) ?? '').join(''));
    for (const old of host.files.names('/etc/ssl/certs').filter((n) => n.endsWith('.pem'))) host.files.place(`/etc/ssl/certs/${old}`, null);
    for (const n of names) host.files.place(`/etc/ssl/certs/${n.replace('.crt', '.pem')}`, { kind: 'link', target: `${anchors}/${n}` });
    return said();
  });
}
const debian = (host: MemoryHost): void => {
  host.files.put('/etc/os-release', 'ID=debian\nVERSION_CODENAME=bookworm\n');
  host.files.put('/etc/apt/sources.list', 'deb http://deb.example/debian bookworm main\n');
};

export const outsideSamples: readonly TaskSample[] = [
  { task: 'outside.configure', input: { proxy, certificates: [], apt: {} }, prepare: debian },
  {
    task: 'outside.configure',
    input: { proxy, certificates: [samplePem('one'), samplePem('two')], apt: { mirror: 'https://mirror.example/debian' } },
    prepare: (h) => {
      debian(h);
      seedTrustStore(h);
    },
  },
  { task: 'outside.configure', input: { proxy: null, certificates: [samplePem('one')], apt: {} } }, // a machine without a list of certificates
  {
    task: 'outside.configure',
    input: { proxy, certificates: [], apt: {} },
    prepare: (h) => {
      h.baseFacts.packageManager = 'dnf';
      h.files.put('/etc/dnf/dnf.conf', '[main]\ngpgcheck=1\n');
    },
  },
];
