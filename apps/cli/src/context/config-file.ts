import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { usage } from '../cli-error';
import { configHome } from './paths';

/** The servers that this user knows: `~/.config/strata/config.yaml`, 0600. */
export const ConfigFile = z.strictObject({
  current: z.string().optional(),
  contexts: z
    .record(
      z.string(),
      z.strictObject({
        server: z.string(),
        ca: z.string().optional(), // PEM
        caPin: z.string().optional(),
        token: z.string().optional(),
        tokenFile: z.string().optional(),
        home: z.string().optional(), // of a server on this host, for `strata down`
      }),
    )
    .default({}),
});
export type ConfigFile = z.infer<typeof ConfigFile>;

export const configPath = (env: Readonly<Record<string, string | undefined>>): string => env.STRATA_CONFIG || join(configHome(env), 'strata', 'config.yaml');

/** The file's content; null when there is none. @throws CliError when others may read it or it cannot be understood */
export function readConfig(path: string): ConfigFile | null {
  let text: string;
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) throw usage(`${path} may be read by others than you, and it opens a control server`, `chmod 600 ${path}`);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return null;
    throw error;
  }
  let value: unknown;
  try {
    value = parse(text) as unknown;
  } catch (cause) {
    throw usage(`${path} is not YAML: ${(cause as Error).message}`, 'mend it, or remove it and run `strata up` again', cause);
  }
  const config = ConfigFile.safeParse(value ?? {});
  if (!config.success) throw usage(`${path} cannot be understood:\n${z.prettifyError(config.error)}`, 'mend it, or remove it and run `strata up` again');
  return config.data;
}

/** Writes whole or not at all, readable by this user alone. */
export function writeConfig(path: string, config: ConfigFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const part = `${path}.${randomBytes(4).toString('hex')}`;
  try {
    writeFileSync(part, stringify(config, { lineWidth: 0 }), { mode: 0o600, flag: 'wx' });
    chmodSync(part, 0o600);
    renameSync(part, path);
  } finally {
    rmSync(part, { force: true });
  }
}
