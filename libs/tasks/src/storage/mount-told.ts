import type { Host } from '../ports/host';
import { mountPaths, systemdFolder } from './storage-paths';

const plain = /^[A-Za-z0-9._/:+=@-]*$/;
/** Variables as systemd reads them from a file: what is more than letters and the like is quoted. */
export const environmentText = (of: Record<string, string>): string =>
  Object.entries(of).map(([name, value]) => `${name}=${plain.test(value) ? value : `"${value.replace(/["\\$`]/g, '\\$&')}"`}\n`).join(''); // prettier-ignore
/** And back. */
export const environmentIn = (text: string): Record<string, string> =>
  Object.fromEntries(
    [...text.matchAll(/^(\w+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))$/gm)].map(([, name = '', quoted, bare = '']) => [name, quoted?.replace(/\\(.)/g, '$1') ?? bare]),
  );

/** What the mount of this machine is told: whom it asks, and its environment. */
export interface MountTold {
  url: string;
  environment: Record<string, string>;
}
/** That, by the files that systemd begins it with; null where there is no mount. */
export async function mountTold(host: Host): Promise<MountTold | null> {
  const url = /(?:rediss|postgres):\/\/\S+/.exec((await host.files.read(`${systemdFolder}/${mountPaths.unit}`)) ?? '')?.[0];
  const environment = environmentIn((await host.files.read(mountPaths.secrets)) ?? '');
  return url === undefined || environment.META_PASSWORD === undefined ? null : { url, environment };
}
