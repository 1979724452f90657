import { taskNamed } from '../registry';
import { MemoryHost, type TaskSample, tryTask } from '../testing';
import { nativeSamples } from '../testing/native-samples';
import { samplePem, seedTrustStore } from '../testing/outside-samples';

const outside = taskNamed('outside.configure');
const containerd = taskNamed('containerd.install');
const proxy = { http: 'http://proxy.example:3128', https: 'http://proxy.example:3128', noProxy: ['localhost', '.corp.example', '10.0.0.0/8'] };
const nothing = { proxy: null, certificates: [], apt: {} };
const bundle = '/etc/ssl/certs/ca-certificates.crt';
const run = async (host: MemoryHost, input: unknown): Promise<string> => (await tryTask(outside, { host }, { input })).outcome;
function debian(): MemoryHost {
  const host = new MemoryHost();
  host.files.put('/etc/os-release', 'ID=debian\nVERSION_CODENAME=bookworm\n');
  host.files.put('/etc/apt/sources.list', '# deb http://commented.corp.example/ x main\ndeb http://deb.example/debian bookworm main\n');
  host.files.put('/etc/apt/sources.list.d/own.sources', 'URIs: https://apt.corp.example:8443/own\nURIs: http://10.1.2.3/own\n');
  return host;
}

test('an ordinary machine is left alone when the spec names nothing', async () => {
  const host = debian();
  expect(await run(host, nothing)).toBe('satisfied');
});
test('apt is told the proxy, and each of its sources that lies past it', async () => {
  const host = debian();
  expect(await run(host, { ...nothing, proxy })).toBe('changed');
  const text = host.files.text('/etc/apt/apt.conf.d/99strata') ?? '';
  expect(text).toContain('Acquire::http::Proxy "http://proxy.example:3128";\nAcquire::https::Proxy "http://proxy.example:3128";\n');
  expect([...text.matchAll(/https::Proxy::(\S+) "DIRECT"/g)].map((m) => m[1])).toEqual(['10.1.2.3', 'apt.corp.example']);
});
test("a mirror stands in place of the machine's sources, which are not touched", async () => {
  const host = debian();
  host.files.put('/usr/share/keyrings/debian-archive-keyring.gpg', 'keys');
  const before = host.files.text('/etc/apt/sources.list');
  await run(host, { ...nothing, apt: { mirror: 'https://mirror.example/debian/', securityMirror: 'https://mirror.example/security' } });
  const by = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
  expect(host.files.text('/etc/apt/strata.list')).toBe(
    `# Written by Strata\ndeb ${by} https://mirror.example/debian bookworm main\ndeb ${by} https://mirror.example/debian bookworm-updates main\ndeb ${by} https://mirror.example/security bookworm-security main\n`,
  );
  expect(host.files.text('/etc/apt/apt.conf.d/99strata')).toContain('Dir::Etc::sourceparts "/dev/null";');
  expect(host.files.text('/etc/apt/sources.list')).toBe(before);
});
test('a machine that does not say its release is refused a mirror, in words', async () => {
  const host = debian();
  host.files.put('/etc/os-release', 'ID=debian\n');
  const { outcome, result } = await tryTask(outside, { host }, { input: { ...nothing, apt: { mirror: 'https://mirror.example/debian' } } });
  expect([outcome, result.findings.map((f) => f.code)]).toEqual(['refused', ['apt.codename']]);
});
test('a later spec with fewer certificates, and then none, leaves none behind', async () => {
  const host = debian();
  seedTrustStore(host);
  const vendors = host.files.text(bundle);
  await run(host, { ...nothing, certificates: [samplePem('one'), samplePem('two')] });
  expect(host.files.text(bundle)).toBe(`${vendors}${samplePem('one')}${samplePem('two')}`);
  await run(host, { ...nothing, certificates: [samplePem('two')] });
  expect(host.files.text(bundle)).toBe(`${vendors}${samplePem('two')}`);
  expect(await run(host, nothing)).toBe('changed');
  expect(host.files.text(bundle)).toBe(vendors);
  expect(await run(host, nothing)).toBe('satisfied');
});
test('a list of certificates that nothing can add to is named, not overwritten', async () => {
  const host = debian();
  host.files.put(bundle, 'of somebody');
  const { outcome, result } = await tryTask(outside, { host }, { input: { ...nothing, certificates: [samplePem('one')] } });
  expect([outcome, result.failure?.code, host.files.text(bundle)]).toEqual(['failed', 'trust-store', 'of somebody']);
});

test.each([
  ['own', '/etc/systemd/system/containerd.service.d', '/etc/containerd/certs.d'],
  ['beside', '/etc/systemd/system/strata-containerd.service.d', '/etc/strata/containerd/certs.d'],
])('our containerd (%s) gets proxy and mirrors, and loses them with the spec', async (place, dropIns, registries) => {
  const sample = nativeSamples.find((s: TaskSample) => s.task === 'containerd.install' && 'mirrors' in (s.input as object));
  const host = new MemoryHost();
  sample?.prepare?.(host);
  const mirrors = { 'docker.io': ['https://mirror.example', 'https://harbor.example/v2/hub'] };
  const input = { ...(sample?.input as object), place, foreign: 'adopt', mirrors };
  expect((await tryTask(containerd, { host }, { input })).outcome).toBe('changed');
  expect(host.files.text(`${dropIns}/90-strata-proxy.conf`)).toContain('Environment="HTTPS_PROXY=http://proxy.example:3128"\n');
  expect(host.files.text(`${registries}/docker.io/hosts.toml`)).toBe(
    '# Written by Strata\n\n[host."https://mirror.example"]\n  capabilities = ["pull", "resolve"]\n\n[host."https://harbor.example/v2/hub"]\n  capabilities = ["pull", "resolve"]\n  override_path = true\n',
  );
  host.files.put(`${registries}/quay.io/hosts.toml`, 'of somebody');
  expect((await tryTask(containerd, { host }, { input: { ...input, proxy: null, mirrors: {} } })).outcome).toBe('changed');
  expect(host.files.names(dropIns)).toEqual([]);
  expect(host.files.text(`${registries}/docker.io/hosts.toml`)).toBeNull();
  expect(host.files.text(`${registries}/quay.io/hosts.toml`)).toBe('of somebody');
});

describe('packages from the server', () => {
  const source = taskNamed('packages.source');
  const archive = (mark: string) => ({ kind: 'archive', name: 'os-packages-debian-12', version: '2026.11.29', blob: { sha256: mark.repeat(64), size: 1 } });
  const give = async (host: MemoryHost, mark: string, ...files: string[]): Promise<string> => {
    host.files.blobs.add(mark.repeat(64));
    host.files.members.set('Packages', files.map((f) => `Package: p\nFilename: ./${f}\n`).join('\n'));
    return (await tryTask(source, { host }, { input: { archive: archive(mark) } })).outcome;
  };
  test('they lie in a folder, and what a newer file does not have any more goes; again nothing is changed', async () => {
    const host = debian();
    expect(await give(host, 'a', 'chrony_1.deb', 'socat_1.deb')).toBe('changed');
    expect(await give(host, 'a', 'chrony_1.deb', 'socat_1.deb')).toBe('satisfied');
    expect(await give(host, 'b', 'chrony_2.deb')).toBe('changed');
    expect(host.files.names('/var/lib/strata-packages').sort()).toEqual(['.strata', 'Packages', 'chrony_2.deb']);
  });
  test.each(['../../etc/cron.d/x', '/etc/passwd', 'a b.deb', '.strata', 'x.sh'])('a file named %s is refused, and nothing is unpacked for it', async (name) => {
    const host = debian();
    expect(await give(host, 'a', 'chrony_1.deb', name)).toBe('failed');
    expect(host.files.names('/var/lib/strata-packages')).toEqual(['Packages']);
  });
  test("apt reads that folder alone, and the machine's own sources again when the spec says so", async () => {
    const host = debian();
    expect(await run(host, { ...nothing, packagesFrom: 'server' })).toBe('changed');
    expect(host.files.text('/etc/apt/strata.list')).toBe('# Written by Strata\ndeb [trusted=yes] file:/var/lib/strata-packages ./\n');
    expect(host.files.text('/etc/apt/apt.conf.d/99strata')).toContain('Dir::Etc::sourcelist "/etc/apt/strata.list";\nDir::Etc::sourceparts "/dev/null";');
    expect(await run(host, nothing)).toBe('changed');
    expect([host.files.text('/etc/apt/strata.list'), host.files.text('/etc/apt/apt.conf.d/99strata')]).toEqual([null, null]);
  });
});
