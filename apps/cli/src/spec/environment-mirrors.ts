import { type ClusterSpec, MirrorUrl } from '@strata/model';
import { usage } from '../cli-error';

const variable = 'REGISTRY_MIRRORS';

/**
 * REGISTRY_MIRRORS (addresses, separated by commas), as installers of this kind know it: asked before docker.io on every node, where the spec itself says
 * nothing of docker.io. `note`: what was taken from there, for people; null: nothing was. @throws CliError for what is no address
 */
export function withEnvironmentMirrors(spec: ClusterSpec, env: Readonly<Record<string, string | undefined>>): { spec: ClusterSpec; note: string | null } {
  const given = (env[variable] ?? '').split(',').map((t) => t.trim()).filter((t) => t !== ''); // prettier-ignore
  const { native } = spec.spec;
  if (given.length === 0 || native.containerd.mirrors['docker.io'] !== undefined) return { spec, note: null };
  const wrong = given.map((text) => MirrorUrl.safeParse(text).error?.issues[0]?.message).find((m) => m !== undefined);
  if (wrong !== undefined) throw usage(`${variable} is set, and one of its addresses ${wrong}`, `separate addresses by commas, or unset ${variable} and write native.containerd.mirrors in the spec (docs/proxy.md)`); // prettier-ignore
  const containerd = { ...native.containerd, mirrors: { ...native.containerd.mirrors, 'docker.io': given } };
  return {
    spec: { ...spec, spec: { ...spec.spec, native: { ...native, containerd } } },
    note: `from ${variable}: docker.io is asked for at ${given.join(', ')} first; write it into the spec (native.containerd.mirrors), or a later apply without it takes it out`,
  };
}
