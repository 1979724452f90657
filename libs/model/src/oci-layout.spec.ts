import { spawnSync } from 'node:child_process';
import type { ImageArtifact } from './artifact';
import { kubernetesComponents } from './kubernetes-components';
import { ociLayout } from './oci-layout';
import { ustarEnd, ustarHeader, ustarPadding, ustarSize } from './ustar';

const image = (ref: string, ids: string[]): ImageArtifact => ({
  kind: 'image',
  name: 'x',
  version: '1.0',
  ref,
  blobs: ids.map((c, i) => ({ sha256: c.repeat(64), size: i + 1, mediaType: 'm' })),
});

describe('ociLayout', () => {
  it('lists a blob once that two images share, and names both images', () => {
    const entries = ociLayout([image('strata.local/a:1', ['a', 'b', 'f']), image('strata.local/b:2', ['c', 'd', 'f'])]);
    expect(entries.map((e) => e.path.slice(-1))).toEqual(['t', 'n', 'a', 'b', 'f', 'c', 'd']);
    const index =
      entries[1] && 'text' in entries[1]
        ? (JSON.parse(entries[1].text) as { manifests: { digest: string; annotations: Record<string, string> }[] })
        : undefined;
    expect(index?.manifests.map((m) => m.annotations['io.containerd.image.name'])).toEqual(['strata.local/a:1', 'strata.local/b:2']);
    expect(index?.manifests[1]?.digest).toBe(`sha256:${'c'.repeat(64)}`);
    expect(index?.manifests[1]?.annotations['org.opencontainers.image.ref.name']).toBe('2');
  });
});

describe('ustarHeader', () => {
  it('is read by tar, long paths included', () => {
    const long = `${'d'.repeat(90)}/${'e'.repeat(50)}/file`;
    const body = Buffer.from('hello');
    const tar = Buffer.concat([
      ustarHeader({ path: 'dir', type: 'directory', mode: 0o755, size: 0 }),
      ustarHeader({ path: 'dir/link', type: 'symlink', mode: 0o777, size: 0, target: '../x' }),
      ustarHeader({ path: long, type: 'file', mode: 0o640, size: body.length }),
      body,
      ustarPadding(body.length),
      ustarEnd(),
    ]);
    expect(tar.length).toBe(ustarSize([0, 0, 5]));
    const listed = spawnSync('tar', ['-tvf', '-'], { input: tar, encoding: 'utf8' });
    expect(listed.stderr).toBe('');
    expect(listed.stdout).toMatch(/drwxr-xr-x 0\/0 .* dir\/\n.*dir\/link -> \.\.\/x\n-rw-r----- 0\/0 +5 .*file\n/);
  });
  it('refuses what does not fit', () => {
    expect(() => ustarHeader({ path: 'x'.repeat(101), type: 'file', mode: 0o644, size: 0 })).toThrow('too long');
    expect(() => ustarHeader({ path: 'x', type: 'file', mode: 0o644, size: 8 * 2 ** 30 })).toThrow('octal digits');
  });
});

describe('kubernetesComponents', () => {
  it('says what kubeadm 1.37.2 and 1.36.3 want, and names the known versions for others', () => {
    expect(Object.values(kubernetesComponents('1.37.2').images)).toEqual([
      'registry.k8s.io/kube-apiserver:v1.37.2',
      'registry.k8s.io/kube-controller-manager:v1.37.2',
      'registry.k8s.io/kube-scheduler:v1.37.2',
      'registry.k8s.io/kube-proxy:v1.37.2',
      'registry.k8s.io/etcd:3.7.0-0',
      'registry.k8s.io/coredns/coredns:v1.14.6',
      'registry.k8s.io/pause:3.10.2',
    ]);
    expect(kubernetesComponents('1.36.3').images.etcd).toBe('registry.k8s.io/etcd:3.6.8-0');
    expect(() => kubernetesComponents('1.35.0')).toThrow('Known: 1.36.3, 1.37.2');
  });
});
