import type { Host } from '../ports/host';
import { kubernetesPaths as paths } from './kubernetes-paths';

/** Null if kubelet runs with the settings that the node is to have, else the words for what is wrong. */
export async function kubeletState(host: Host): Promise<string | null> {
  if ((await host.files.stat(paths.kubeletConfig)) === null) return 'kubelet has no configuration yet';
  if ((await host.files.read(paths.kubeletApplied)) !== (await host.files.sha256(paths.kubeletPatch))) return 'kubelet runs with other settings';
  const { active } = await host.units.state('kubelet.service');
  return active === 'active' ? null : `kubelet.service is ${active}`;
}
