import { chmod, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { privateDirectory, readPrivateFile, writePrivateFile } from '@strata/pki';
import type { Identity } from '@strata/wire';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { identityFiles, type Paths } from './paths';

/** `/etc/strata/agent.yaml`: who this node is and where its server is. Keys and certificates are files of their own. */
export const AgentConfig = z.strictObject({
  nodeId: z.string(),
  nodeName: z.string(),
  clusterId: z.string(),
  caPin: z.string(),
  sessionAddresses: z.array(z.string()).min(1),
  artifactAddresses: z.array(z.string()),
  orderKeys: z.record(z.string(), z.string()), // key id -> raw public key, base64
  boxKey: z.string(), // base64
});
export type AgentConfig = z.infer<typeof AgentConfig>;

export const configOf = (i: Identity, caPin: string): AgentConfig => ({
  nodeId: i.nodeId,
  nodeName: i.nodeName,
  clusterId: i.clusterId,
  caPin,
  sessionAddresses: i.sessionAddresses,
  artifactAddresses: i.artifactAddresses,
  orderKeys: Object.fromEntries(i.orderKeys.map((k) => [k.keyId, k.publicKey.toString('base64')])),
  boxKey: i.boxKey.toString('base64'),
});

/** @throws Error that says what to do when there is no configuration, or a field of it is wrong. */
export async function readConfig(paths: Paths): Promise<AgentConfig> {
  const text = await readPrivateFile(paths.config);
  if (!text) throw new Error(`there is no ${paths.config}: this machine is not a node yet; run the join command of \`strata node join-command\``);
  const parsed = AgentConfig.safeParse(parse(text.toString()));
  if (parsed.success) return parsed.data;
  throw new Error(`${paths.config} is not valid: ${parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ')}; join this node again`);
}
export async function writeConfig(paths: Paths, config: AgentConfig): Promise<void> {
  await mkdir(dirname(paths.config), { recursive: true, mode: 0o755 });
  await chmod(dirname(paths.config), 0o755);
  await writePrivateFile(paths.config, `# written by stratad; made anew by joining again\n${stringify(config)}`);
}

export interface Tls {
  caPem: string;
  certPem: string;
  keyPem: string;
}
export async function readTls(paths: Paths): Promise<Tls> {
  const files = identityFiles(paths);
  const one = async (path: string): Promise<string> => {
    const content = await readPrivateFile(path);
    if (!content) throw new Error(`${path} is missing: join this node again`);
    return content.toString();
  };
  return { caPem: await one(files.ca), certPem: await one(files.certificate), keyPem: await one(files.key) };
}
export async function writeTls(paths: Paths, tls: Tls): Promise<void> {
  const files = identityFiles(paths);
  await privateDirectory(paths.state);
  await privateDirectory(dirname(files.key));
  await writePrivateFile(files.key, tls.keyPem);
  await writePrivateFile(files.ca, tls.caPem);
  await writePrivateFile(files.certificate, tls.certPem);
}
