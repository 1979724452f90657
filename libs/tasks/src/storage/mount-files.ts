import { CaPem, ClusterName, MetadataPlace, NodeName, PlainPath, S3Place, unsetProxies } from '@strata/model';
import { z } from 'zod';
import { secretInput } from '../define-task';
import type { NodeContext } from '../define-task';
import { differing, type WrittenFile } from '../orchestration/written-files';
import { trustText } from './metadata-external';
import { environmentText } from './mount-told';
import { markFiles } from './mount-mark';
import { known } from './secrets';
import { metadataUrl, regionOf, s3Environment } from './storage-format';
import { mountPaths as paths, systemdFolder } from './storage-paths';

/** What every mount of the tree is told, wherever it is. */
export const TreeInput = z.strictObject({
  cluster: ClusterName,
  node: NodeName,
  password: secretInput(), // this node's, for the metadata; with somebody else, everybody's
  external: MetadataPlace.optional(), // where the metadata are with somebody else
  caPem: CaPem.optional(), // of services of ours; there are none where metadata and objects are with somebody else
  s3: S3Place.optional(), // where the objects are with somebody else
});
type TreeInput = z.infer<typeof TreeInput>;
export const MountInput = TreeInput.extend({
  path: PlainPath,
  cache: z.strictObject({ path: PlainPath, sizeMiB: z.int(), freeRatio: z.number(), writeback: z.boolean().optional() }),
});
export type MountInput = z.infer<typeof MountInput>;

/** Where a mount's settings are: root's alone, in no argument and in no unit's text. */
export interface MountPlaces {
  secrets: string;
  ca: string;
  objectsCa: string;
  trust: string;
}
const environment = (input: TreeInput, at: MountPlaces): Record<string, string> =>
  input.external ? { ...(trustText(input) === '' ? {} : { SSL_CERT_FILE: at.trust }), ...regionOf(input.s3) } : s3Environment(input.s3, at);
/** What a mount's unit is told by its environment, the password among it. */
export const secretsText = (input: TreeInput, at: MountPlaces, password: string): string =>
  environmentText({ META_PASSWORD: password, ...environment(input, at) });
/** Whom it trusts, as files. */
export function certificateFiles(input: TreeInput, at: MountPlaces): WrittenFile[] {
  const { external, caPem, s3 } = input;
  const texts = external ? [[at.trust, trustText(input)]] : [[at.ca, caPem], [at.objectsCa, s3?.caPem]]; // prettier-ignore
  return texts.flatMap(([path = '', content = '']) => (content === '' ? [] : [{ path, content, mode: 0o600 }]));
}
/** In which a mount's settings are not what they shall be, or null. */
export async function otherSettings<I extends TreeInput>(
  { host, input, secret }: Pick<NodeContext<I>, 'host' | 'input' | 'secret'>,
  files: readonly WrittenFile[],
  at: MountPlaces,
): Promise<string | null> {
  const words = await differing(host, files);
  if (words !== null) return words;
  const [is, password] = [await host.files.read(at.secrets), known(secret, input.password)];
  return is === null || (password !== null && is !== secretsText(input, at, password)) ? 'it has another password' : null;
}

/**
 * The end of a mount's unit. Active means mounted: whatever starts after it finds the tree; and it stops fast, since a supervisor whose worker died waits
 * otherwise. `umount -f` ends the connection to the kernel: the supervisor looks at its own mount, and with metadata that are away it hangs there, beyond
 * every signal (`-c`: without a look of its own).
 */
export const mountService = (input: TreeInput, at: MountPlaces, { path, cache }: { path: string; cache: string }): string => `[Service]
EnvironmentFile=${at.secrets}
${unsetProxies}
ExecStartPre=-/bin/umount -c -f -l ${path}
ExecStart=${paths.binary} mount --no-usage-report --enable-xattr ${cache} ${metadataUrl({ ...input, ca: at.ca })} ${path}
ExecStartPost=/bin/sh -c 'until mountpoint -q ${path}; do sleep 0.2; done'
ExecStop=-/bin/umount ${path}
ExecStopPost=-/bin/umount -c -f -l ${path}
TimeoutStartSec=60
TimeoutStopSec=5
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
`;

/** It comes before kubelet, or a pod could bind the empty folder below. */
const unit = (i: MountInput): string => `# Written by Strata
[Unit]
Description=The shared file system (JuiceFS)
ConditionPathExists=!${paths.closed}
Wants=network-online.target ${paths.markUnit}
After=network-online.target strata-tunnel.service strata-metadata.service strata-objects.service strata-minio.service
Before=kubelet.service k3s.service k3s-agent.service
StartLimitIntervalSec=0

${mountService(i, paths, { path: i.path, cache: `\\\n  --cache-dir ${i.cache.path} --cache-size ${i.cache.sizeMiB} --free-space-ratio ${i.cache.freeRatio}${i.cache.writeback === true ? ' --writeback' : ''} \\\n ` })}`; // prettier-ignore

/** All that is written but the secret. */
export const mountFiles = (input: MountInput): WrittenFile[] => [
  { path: `${systemdFolder}/${paths.unit}`, content: unit(input) },
  ...certificateFiles(input, paths),
  ...markFiles(input),
];

export const updatedb = '/etc/updatedb.conf';
/** The settings of `locate` in which it stays out of the shared tree, or null where it does already. JuiceFS would write that itself, at some other time. */
export function prunedUpdatedb(text: string): string | null {
  const [line, types] = /^PRUNEFS\s*=\s*"([^"]*)"/m.exec(text) ?? [];
  if (line === undefined || types === undefined || /\bfuse\.juicefs\b/.test(types)) return null;
  return text.replace(line, line.replace(`"${types}"`, `"${`fuse.juicefs ${types}`.trim()}"`));
}
