import { z } from 'zod';
import { FileImage, type Host } from '../ports/host';
import { k3sFolders, k3sPaths as paths, k3sUnit } from './k3s-config';
import { endPods, NodeNetworkBefore, nodeNetworkBefore, restoreNodeNetwork } from './node-network';
import { differing, writeAll } from './written-files';

export const K3sUnitBefore = z.strictObject({ unit: FileImage, network: NodeNetworkBefore });
export type K3sUnitBefore = z.infer<typeof K3sUnitBefore>;
type Kind = 'server' | 'agent';
export const unitName = (kind: Kind): string => (kind === 'server' ? 'k3s.service' : 'k3s-agent.service');
const unitFile = (kind: Kind): { path: string; content: string } => ({ path: `/etc/systemd/system/${unitName(kind)}`, content: k3sUnit(kind) });
/** The digest of the configuration that K3s was started with. */
const appliedFile = `${paths.config}.applied`;

/** The words for why K3s does not run as it should, or null. */
export async function k3sState(host: Host, kind: Kind): Promise<string | null> {
  const words = await differing(host, [unitFile(kind)]);
  if (words !== null) return words;
  if ((await host.files.read(appliedFile)) !== (await host.files.sha256(paths.config))) return 'K3s runs with other settings';
  const { active, enabled } = await host.units.state(unitName(kind));
  return active !== 'active' ? `${unitName(kind)} is ${active}` : enabled !== 'enabled' ? `${unitName(kind)} is not enabled` : null;
}
export const k3sBefore = async (host: Host, kind: Kind): Promise<K3sUnitBefore> => ({
  unit: await host.files.image(unitFile(kind).path),
  network: await nodeNetworkBefore(host, k3sFolders),
});
export async function startK3s(host: Host, kind: Kind): Promise<void> {
  await writeAll(host, [unitFile(kind)]);
  await host.units.daemonReload();
  await host.units.enable(unitName(kind));
  await host.units.restart(unitName(kind));
  await host.files.write(appliedFile, (await host.files.sha256(paths.config)) ?? '');
}
export async function takeBackK3s(host: Host, kind: Kind, before: K3sUnitBefore): Promise<void> {
  if ((await host.units.state(unitName(kind))).load !== 'not-found') {
    await host.units.stop(unitName(kind));
    await host.programs.run(['systemctl', 'kill', '--signal=KILL', unitName(kind)]); // the shims of its containers; none left is fine
    await host.units.disable(unitName(kind));
  }
  await endPods(host);
  await host.files.restore(before.unit);
  await host.units.daemonReload();
  await host.files.remove(appliedFile);
  await restoreNodeNetwork(host, before.network);
}
