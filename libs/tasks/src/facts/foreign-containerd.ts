import { runtimePaths } from '../runtime-place';
import { type FactSource, text } from './source';

/** Version of a containerd that no package brought. */
export async function containerdVersion(source: FactSource): Promise<string | null> {
  return /^containerd \S+ v?(\S+)/.exec(await text(source, ['containerd', '--version']))?.[1] ?? null;
}
/** Whether a kubelet could use somebody else's containerd: its own words say that CRI is on and looks for the network where ours is put. */
export async function couldServe(source: FactSource): Promise<boolean> {
  return servesByConfig(await text(source, ['containerd', 'config', 'dump']));
}
/** The same of what `containerd config dump` printed: its settings with all defaults. */
export function servesByConfig(dump: string): boolean {
  const list = (name: string): string | undefined => new RegExp(`^\\s*${name}\\s*=\\s*(\\[[^\\]]*\\]|\\S.*)$`, 'm').exec(dump)?.[1];
  const off = /["'](io\.containerd\.grpc\.v1\.)?cri["']|["']io\.containerd\.cri\.v1\./.test(list('disabled_plugins') ?? '');
  const named = (value: string | undefined, path: string): boolean => new RegExp(`["']${path}["']`).test(value ?? '');
  const { cniBin, cniConf } = runtimePaths.adopted;
  return !off && (named(list('bin_dirs'), cniBin) || named(list('bin_dir'), cniBin)) && named(list('conf_dir'), cniConf);
}
