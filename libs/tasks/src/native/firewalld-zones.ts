import { z } from 'zod';
import { FileImage, type Host } from '../ports/host';
import { must } from '../programs';

/** firewalld copies a zone into /etc at the first change to it, and keeps the copy: without its pre-image that copy would stay behind. */
export const ZonesBefore = z.strictObject({ listing: z.string(), files: z.array(FileImage) });
export type ZonesBefore = z.infer<typeof ZonesBefore>;

const ask = async (host: Host, ...args: string[]): Promise<string> => (await must(host, ['firewall-cmd', ...args], { timeoutMs: 30_000 })).stdout.trim();
const listing = (host: Host): Promise<string> => ask(host, '--permanent', '--list-all-zones');

/** The zones that our rules go into: the default one and `trusted`. */
export async function zonesBefore(host: Host): Promise<ZonesBefore> {
  const zones = new Set([await ask(host, '--get-default-zone'), 'trusted']);
  const files: FileImage[] = [];
  for (const zone of zones) for (const end of ['', '.old']) files.push(await host.files.image(`/etc/firewalld/zones/${zone}.xml${end}`));
  return { listing: await listing(host), files };
}
/** After our rules are gone: the files go back to the byte, unless somebody else changed a zone meanwhile. */
export async function restoreZones(host: Host, before: ZonesBefore): Promise<void> {
  if ((await listing(host)) !== before.listing) return;
  for (const image of before.files) await host.files.restore(image);
}
