import type { Artifact, Catalog } from '@strata/model';
import type { Control } from '../ports/cluster';
import { MemoryCluster } from './memory-cluster';
import { MemoryReleases } from './memory-releases';

/** The control server in memory: its store, sessions, and what it keeps. Every artifact can be had, of a content that follows from its name. */
export class MemoryControl implements Control {
  readonly store = new Map<string, Artifact>();
  readonly sessions = new Map<string, { connected: boolean; enrolled: boolean; agentVersion: string | null }>();
  readonly minted = new Map<string, string>(); // node -> token id
  kubeconfig: string | null = null;

  readonly releases: MemoryReleases;

  constructor(
    private readonly catalog: Catalog,
    cluster = new MemoryCluster(),
  ) {
    this.releases = new MemoryReleases(cluster);
  }

  async obtain(name: string, version: string): Promise<Artifact> {
    const artifact = this.make(name, version);
    this.store.set(`${name}@${version}`, artifact);
    return Promise.resolve(artifact);
  }
  obtained = (name: string, version: string): Promise<Artifact | null> => Promise.resolve(this.store.get(`${name}@${version}`) ?? null);
  session = (node: string): Promise<{ connected: boolean; enrolled: boolean; agentVersion: string | null }> =>
    Promise.resolve(this.sessions.get(node) ?? { connected: false, enrolled: false, agentVersion: null });
  installAgent = (node: string): Promise<void> =>
    Promise.resolve(void this.sessions.set(node, { connected: true, enrolled: true, agentVersion: this.agentVersion() }));
  removeAgent = (node: string): Promise<void> => Promise.resolve(void this.sessions.delete(node));
  agentVersion = (): string => '0.1.0';
  authority = (): string => '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
  keepKubeconfig = (kubeconfig: string | null): Promise<void> => Promise.resolve(void (this.kubeconfig = kubeconfig));
  hasKubeconfig = (exactly?: string): Promise<boolean> => Promise.resolve(exactly === undefined ? this.kubeconfig !== null : this.kubeconfig === exactly);
  mintedTokenId = (node: string): Promise<string | null> => Promise.resolve(this.minted.get(node) ?? null);

  /** A token for one join order; its id is out until `settle`. */
  mint(node: string): string {
    const id = `tok${String(this.minted.size).padStart(3, '0')}`;
    this.minted.set(node, id);
    return `${id}.0123456789abcdef`;
  }
  private make(name: string, version: string): Artifact {
    const entry = this.catalog.entries.find((e) => e.name === name && e.version === version);
    const blob = (part: string): { sha256: string; size: number } => ({ sha256: digits(`${name}${version}${part}`), size: 1000 });
    if (entry?.kind === 'image')
      return {
        kind: 'image', name, version, ref: entry.ref ?? `strata.local/${name}:${version}`,
        blobs: [{ ...blob('m'), mediaType: 'application/vnd.oci.image.manifest.v1+json' }, { ...blob('c'), mediaType: 'application/vnd.oci.image.config.v1+json' }],
      }; // prettier-ignore
    return { kind: entry?.kind ?? 'file', name, version, blob: blob('f') };
  }
}
function digits(text: string): string {
  let h = 17;
  for (let i = 0; i < text.length; i++) h = (Math.imul(h, 31) + text.charCodeAt(i)) >>> 0;
  return h.toString(16).padStart(8, '0').repeat(8);
}
