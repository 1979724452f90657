import { MirrorUrl, proxyEnvironment, ProxyInput, RegistryHost } from '@strata/model';
import { z } from 'zod';
import type { Host } from '../ports/host';
import { leftBehind, type WrittenFile } from './written-files';
import { toYaml } from './yaml';

/** How K3s' own containerd gets at images. */
export const K3sOutside = z.strictObject({
  proxy: ProxyInput,
  mirrors: z.record(RegistryHost, z.array(MirrorUrl)),
});
export type K3sOutside = z.infer<typeof K3sOutside>;

export const k3sOutsidePaths = { environment: '/etc/rancher/k3s/environment', registries: '/etc/rancher/k3s/registries.yaml' } as const;

const mark = '# Written by Strata\n';

/** K3s gives what is named CONTAINERD_… to its containerd alone: neither it nor its kubelet is told a proxy. */
export const k3sOutsideFiles = (o: K3sOutside): WrittenFile[] => [
  ...(o.proxy === null
    ? []
    : [{ path: k3sOutsidePaths.environment, content: mark + Object.entries(proxyEnvironment(o.proxy)).map(([name, value]) => `CONTAINERD_${name}=${value}\n`).join(''), mode: 0o600 }]),
  ...(Object.keys(o.mirrors).length === 0
    ? []
    : [{ path: k3sOutsidePaths.registries, content: mark + toYaml({ mirrors: Object.fromEntries(Object.entries(o.mirrors).map(([registry, endpoint]) => [registry, { endpoint }])) }), mode: 0o600 }]),
]; // prettier-ignore
/** Files of ours that an earlier spec asked for, and this one does not. */
export const leftK3sOutside = (host: Host, o: K3sOutside): Promise<string[]> => leftBehind(host, Object.values(k3sOutsidePaths), k3sOutsideFiles(o));
