import { z } from 'zod';
import { BundleUse, bundleUse } from './bundle';
import { Cidr, ClusterName, DataDir, Duration, HostOrIp, Ipv4, Name, NodeName, PackageName, Port, Version } from './names';
import { CaSource, MirrorUrl, ProxySpec, RegistryHost } from './outside';
import { rangeIssues } from './spec-ranges';
import { storageIssues, StorageSpec } from './storage';

export const Role = z.enum(['control-plane', 'worker']).meta({ id: 'Role' });
export type Role = z.infer<typeof Role>;

/** How the server reaches a machine that is not a node yet. Secrets are never here: only where to take them from. */
export const SshAccess = z
  .strictObject({
    host: HostOrIp.optional(), // default: the node's address
    user: z.string().min(1).max(64).default('root'),
    port: Port.default(22),
    hostKey: z
      .string()
      .regex(/^SHA256:[A-Za-z0-9+/]{43}=?$/, 'must be a fingerprint as `ssh-keygen -lf` prints it: SHA256:…')
      .optional(),
    acceptNewHostKey: z.boolean().default(false), // audited; never a changed key
    keyFile: z.string().optional(),
    agent: z.boolean().default(false),
    passwordFrom: z.union([z.literal('prompt'), z.string().regex(/^(env|file):.+$/)]).optional(),
    passphraseFrom: z.union([z.literal('prompt'), z.string().regex(/^(env|file):.+$/)]).optional(),
    sudoPasswordFrom: z.union([z.literal('prompt'), z.literal('same'), z.string().regex(/^(env|file):.+$/)]).optional(),
    bastion: z.strictObject({ host: HostOrIp, user: z.string().default('root'), port: Port.default(22), hostKey: z.string().optional() }).optional(),
  })
  .meta({ id: 'SshAccess' });
export type SshAccess = z.infer<typeof SshAccess>;

export const Taint = z.strictObject({ key: z.string(), value: z.string().default(''), effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']) });

export const NodeSpec = z
  .strictObject({
    name: NodeName,
    address: z.union([Ipv4, z.string().regex(/^[a-z][a-z0-9.-]{0,14}$/, 'must be an IPv4 address or the name of an interface')]).optional(),
    role: Role.default('worker'),
    group: Name.optional(), // nodes of a kind: bundles may have values of their own for them; a label of the node
    labels: z.record(z.string(), z.string()).default({}),
    taints: z.array(Taint).default([]),
    ssh: SshAccess.optional(),
    join: z.literal('token').optional(),
    hostname: z.enum(['keep', 'set']).default('keep'),
    nat: z.boolean().default(false), // nobody reaches it, it can only dial out: it gets an address in the tunnel
  })
  .refine((n) => (n.ssh === undefined) !== (n.join === undefined), { message: 'a node needs either `ssh` or `join: token`, and not both', path: ['ssh'] })
  .refine((n) => n.join !== undefined || /^\d/.test(n.address ?? '') || n.ssh?.host !== undefined, {
    message: 'a node that is reached by ssh needs an IPv4 `address`, or where to dial it as `ssh.host`',
    path: ['address'],
  })
  .meta({ id: 'NodeSpec' });
export type NodeSpec = z.infer<typeof NodeSpec>;
/** The label of a node that says of which group it is. */
export const nodeGroupLabel = 'strata.local/group';
/** The labels of a node that its spec asks for. */
export const labelsOf = ({ labels, group }: Pick<NodeSpec, 'labels' | 'group'>): Record<string, string> => ({
  ...labels,
  ...(group === undefined ? {} : { [nodeGroupLabel]: group }),
});
/** Under which name or address a node is reached by SSH; undefined where the spec says neither. */
export const sshHost = ({ ssh, address }: Pick<NodeSpec, 'ssh' | 'address'>): string | undefined => ssh?.host ?? address;
/** Whether two nodes of a spec are one machine, by the place that SSH finds them at. */
export const isSamePlace = (a: NodeSpec, b: NodeSpec): boolean => sshHost(a) !== undefined && sshHost(a) === sshHost(b) && a.ssh?.port === b.ssh?.port;

export const DistributionKind = z.enum(['k3s', 'kubernetes', 'minikube']);
export type DistributionKind = z.infer<typeof DistributionKind>;

export const Native = z.strictObject({
  packages: z.array(PackageName).default(['gcc', 'net-tools']),
  packagesFrom: z.enum(['machine', 'server']).default('machine'), // its own sources, or what a bundle file brought: docs/bundle-files.md
  dns: z.strictObject({ servers: z.array(Ipv4).default([]), search: z.array(HostOrIp).default([]) }).prefault({}),
  ntp: z.strictObject({ servers: z.array(HostOrIp).default([]), enabled: z.boolean().default(true) }).prefault({}),
  ssh: z
    .strictObject({ authorizedKeys: z.array(z.string().regex(/^(ssh-|ecdsa-)[^\n]+$/)).default([]), passwordLogin: z.enum(['keep', 'off']).default('keep') })
    .prefault({}),
  swap: z.enum(['keep', 'off']).default('keep'),
  firewall: z.enum(['open-ports', 'ignore']).default('open-ports'),
  containerd: z
    .strictObject({
      foreign: z.enum(['refuse', 'adopt']).default('refuse'),
      mirrors: z.record(RegistryHost, z.array(MirrorUrl).min(1)).default({}), // asked before the registry itself: docs/proxy.md
    })
    .prefault({}),
  dataDir: DataDir.optional(), // for images, pods and etcd: docs/networks.md
  apt: z.strictObject({ mirror: MirrorUrl.optional(), securityMirror: MirrorUrl.optional() }).prefault({}), // in place of the machine's own sources
});

/** A spec as it is kept: what was taken once is not judged anew by rules across fields that came later. */
export const KeptClusterSpec = z.strictObject({
  apiVersion: z.literal('strata/v1'),
  kind: z.literal('Cluster'),
  metadata: z.strictObject({ name: ClusterName }),
  spec: z.strictObject({
    distribution: z.strictObject({ kind: DistributionKind.default('k3s'), version: Version.optional() }).prefault({}),
    network: z
      .strictObject({
        podCidr: Cidr.default('10.244.0.0/16'),
        serviceCidr: Cidr.default('10.96.0.0/12'),
        backend: z.enum(['vxlan', 'host-gw']).default('vxlan'),
        tunnelCidr: Cidr.default('10.250.0.0/16'), // used only where a node has `nat: true`
        proxy: ProxySpec.optional(), // for downloads only: docs/proxy.md
        caCertificates: z.array(CaSource).default([]), // trusted for downloads, on every machine
      })
      .prefault({}),
    apiSANs: z.array(HostOrIp).default([]),
    nodes: z.array(NodeSpec).min(1),
    native: Native.prefault({}),
    storage: StorageSpec.prefault({}),
    artifacts: z.strictObject({ allowUnofficial: z.boolean().default(false) }).prefault({}), // programs published by others than their vendor: catalog/README.md
    bundles: z.array(BundleUse).default([]),
    policy: z.strictObject({ nodeWait: Duration.default('2m'), onFailure: z.enum(['hold', 'unwind']).default('hold') }).prefault({}),
  }),
});
export const ClusterSpec = KeptClusterSpec.superRefine((c, ctx) => {
  const twice = (what: 'name' | 'address', i: number, j: number): void =>
    ctx.addIssue({
      code: 'custom',
      path: ['spec', 'nodes', j, what],
      message: `nodes ${i + 1} and ${j + 1} have the same ${what} "${String(c.spec.nodes[j]?.[what])}"`,
    });
  c.spec.nodes.forEach((n, j) => {
    const sameName = c.spec.nodes.findIndex((m) => m.name === n.name);
    if (sameName < j) twice('name', sameName, j);
    const sameAddress = n.address === undefined ? j : c.spec.nodes.findIndex((m) => m.address === n.address);
    if (/^\d/.test(n.address ?? '') && sameAddress < j) twice('address', sameAddress, j);
  });
  for (const { path, message } of [...rangeIssues(c.spec), ...storageIssues(c.spec)]) ctx.addIssue({ code: 'custom', path: ['spec', ...path], message });
  const groups = new Set(c.spec.nodes.flatMap((n) => n.group ?? []));
  c.spec.bundles.map(bundleUse).forEach((b, i, all) => {
    const same = all.findIndex((other) => other.name === b.name);
    if (same < i)
      ctx.addIssue({
        code: 'custom',
        path: ['spec', 'bundles', i, ...(typeof c.spec.bundles[i] === 'string' ? [] : ['name'])],
        message: `bundles ${same + 1} and ${i + 1} are both "${b.name}": name each once, with all its values there`,
      });
    for (const group of Object.keys(b.groups).filter((g) => !groups.has(g)))
      ctx.addIssue({
        code: 'custom',
        path: ['spec', 'bundles', i, 'groups', group],
        message: `no node has the group "${group}": say \`group: ${group}\` at those that are of it`,
      });
  });
  const planes = c.spec.nodes.filter((n) => n.role === 'control-plane').length;
  if (planes === 0) ctx.addIssue({ code: 'custom', path: ['spec', 'nodes'], message: 'no node has the role control-plane: give it to one' });
  if (planes > 1)
    ctx.addIssue({
      code: 'custom',
      path: ['spec', 'nodes'],
      message: 'several control-plane nodes are not supported yet: keep one and make the others workers',
    });
}).meta({ id: 'ClusterSpec' });
export type ClusterSpec = z.infer<typeof ClusterSpec>;
/** What a person writes: every default may be left out. */
export type ClusterSpecInput = z.input<typeof ClusterSpec>;
