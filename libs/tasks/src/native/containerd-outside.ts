import { type Outside, proxyEnvironment } from '@strata/model';
import { leftBehind, type WrittenFile } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { runtimePaths, type RuntimePlace } from '../runtime-place';

/** How our containerd gets at images that are not on the machine. */
export interface ContainerdOutside {
  place: RuntimePlace;
  proxy: Outside['proxy'];
  /** Registry, as image names begin with it -> addresses that are asked first. */
  mirrors: Readonly<Record<string, readonly string[]>>;
}
const mark = '# Written by Strata\n';
/** The drop-in by which our containerd is told a proxy. */
export const proxyDropIn = (place: RuntimePlace): string => `${runtimePaths[place].unitFile}.d/90-strata-proxy.conf`;
const hostsFile = (place: RuntimePlace, registry: string): string => `${runtimePaths[place].registries}/${registry}/hosts.toml`;

/** Values hold neither quotes nor percent signs, by their schemas. Readable by all, as a unit is: a proxy's address with a password is refused. */
const dropInText = (proxy: Outside['proxy']): string =>
  `${mark}[Service]\n${Object.entries(proxyEnvironment(proxy)).map(([name, value]) => `Environment="${name}=${value}"\n`).join('')}`; // prettier-ignore

/** A mirror whose address has a path is taken by that path alone: containerd puts no `/v2` behind it. */
function hostsText(mirrors: readonly string[]): string {
  const entries = mirrors.map((url) => {
    const bare = url.replace(/\/$/, '');
    const withPath = /^https?:\/\/[^/]+\/./.test(bare) ? '  override_path = true\n' : '';
    return `\n[host."${bare}"]\n  capabilities = ["pull", "resolve"]\n${withPath}`;
  });
  return mark + entries.join('');
}

/** The files that say it. */
export const outsideFiles = ({ place, proxy, mirrors }: ContainerdOutside): WrittenFile[] => [
  ...(proxy === null ? [] : [{ path: proxyDropIn(place), content: dropInText(proxy) }]),
  ...Object.entries(mirrors).sort(([a], [b]) => (a < b ? -1 : 1)).map(([registry, urls]) => ({ path: hostsFile(place, registry), content: hostsText(urls) })),
]; // prettier-ignore

/** Files of ours that an earlier spec asked for, and this one does not. */
export async function leftOutside(host: Host, s: ContainerdOutside): Promise<string[]> {
  const registries = await host.files.list(runtimePaths[s.place].registries);
  return leftBehind(host, [proxyDropIn(s.place), ...registries.map((registry) => hostsFile(s.place, registry))], outsideFiles(s));
}
