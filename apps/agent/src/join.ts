import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join as joinPath, resolve } from 'node:path';
import { localHost, localSource } from '@strata/host-local';
import { keyPem, makeCsr, newKeys, parseJoinToken } from '@strata/pki';
import { gatherFacts, stateBeforeFile, stateBeforeOf } from '@strata/tasks';
import { enroll } from '@strata/wire';
import { configOf, writeConfig, writeTls } from './config';
import type { Paths } from './paths';
import { unitText } from './unit';
import { version } from './version';

export interface JoinOptions {
  servers: string[]; // host:port of the enrollment listener
  caPin?: string; // must agree with the token's
  name?: string; // for the message only: the server decides
  start: boolean; // false: only enroll, for tests
  paths: Paths;
  /** The join token, as it came on standard input. */
  token: string;
  say: (line: string) => void;
}
const homes = ['/usr/local/bin', '/opt/strata/bin'];

/**
 * Makes this machine a node: own key and CSR, a certificate for the one-time token, configuration, unit.
 * The token is sent only to a server whose CA has the pinned key. Clocks are not trusted: the skew is reported.
 */
export async function join(o: JoinOptions): Promise<void> {
  const { caPin, token } = parseJoinToken(o.token);
  if (o.caPin !== undefined && o.caPin !== caPin) throw new Error('the CA pin of the command and that of the token differ: copy the whole join command again');
  const keys = await newKeys();
  const facts = await gatherFacts(localSource);
  o.say(`enrolling at ${o.servers.join(', ')}`);
  const identity = await enroll(
    { addresses: o.servers, caPin },
    {
      token,
      csrPem: await makeCsr(keys),
      machineId: facts.machineId,
      hostKeys: facts.hostKeys,
      agentVersion: version,
      hostname: hostname(),
      agentTimeMs: Date.now(),
    },
  );
  await rememberFolder(o.paths);
  await writeTls(o.paths, { caPem: identity.caPem, certPem: identity.certificatePem, keyPem: await keyPem(keys.privateKey) });
  await writeConfig(o.paths, configOf(identity, caPin));
  o.say(`this machine is the node ${identity.nodeName}`);
  if (Math.abs(identity.skewMs) > 5000)
    o.say(`warning: this machine's clock is ${Math.round(identity.skewMs / 1000)} s ${identity.skewMs > 0 ? 'ahead of' : 'behind'} the server's`);
  if (!o.start) return;
  await writeFile(o.paths.unit, unitText(await settledBinary()), { mode: 0o644 });
  const host = localHost({ stateDir: o.paths.state });
  await host.units.daemonReload();
  await host.units.enable('stratad.service');
  await host.units.restart('stratad.service');
  o.say('stratad.service runs');
}

/** This program's path, once it lies where it may stay: a joined machine has fetched it into some temporary folder. */
async function settledBinary(): Promise<string> {
  const self = process.execPath;
  if (homes.some((h) => dirname(self) === h)) return self;
  const problems: string[] = [];
  for (const home of homes) {
    const target = `${home}/stratad`;
    try {
      await mkdir(home, { recursive: true });
      await copyFile(self, `${target}.part`);
      await rename(`${target}.part`, target);
      return target;
    } catch (error) {
      problems.push(`${home}: ${(error as Error).message}`);
      await rm(`${target}.part`, { force: true }).catch(() => undefined);
    }
  }
  throw new Error(`the agent could not be placed: ${problems.join('; ')}`);
}

/**
 * Takes the agent away: unit, configuration, state, binary. What tasks changed is taken back before this: by the server's uninstall, or by
 * `takeBack`. With `stop: 'last'` the agent's session ends when all else is gone: so the server knows.
 */
export async function uninstall(paths: Paths, o: { stop: 'first' | 'last'; say: (line: string) => void }): Promise<void> {
  const { units } = localHost({ stateDir: paths.state });
  const unit = 'stratad.service';
  const binary = /^ExecStart=(\S+)/m.exec(await readFile(paths.unit, 'utf8').catch(() => ''))?.[1];
  const folder = await folderBefore(paths); // ahead of all else: it goes with the folder
  const loaded = (await units.state(unit)).load === 'loaded';
  if (loaded) await units.disable(unit);
  if (loaded && o.stop === 'first') await units.stop(unit);
  await rm(paths.unit, { force: true });
  await rm(dirname(paths.config), { recursive: true, force: true });
  await emptied(paths.state, folder).catch(() => undefined); // an agent that still runs may write there
  for (const home of homes) if (binary === `${home}/stratad`) await rm(binary, { force: true });
  await rm('/opt/strata', { recursive: true, force: true });
  if (loaded && o.stop === 'last') await units.stop(unit);
  await emptied(paths.state, folder);
  await units.daemonReload();
  o.say('the agent is gone from this machine');
}
const beforeFile = (paths: Paths): string => joinPath(paths.state, basename(stateBeforeFile));
/** Keeps the mode of a state folder that is there ahead of us: a mount point, mostly. We make it private, and uninstall gives it back. */
export async function rememberFolder(paths: Paths): Promise<void> {
  const was = await stat(paths.state).catch(() => null);
  const isOurs = (await stat(joinPath(paths.state, 'identity')).catch(() => null)) !== null; // joined again: what was before is long gone
  if (was && !isOurs) await writeFile(beforeFile(paths), JSON.stringify({ mode: was.mode & 0o7777 }), { mode: 0o600 });
}
async function folderBefore(paths: Paths): Promise<{ mode: number } | null> {
  return stateBeforeOf(await readFile(beforeFile(paths), 'utf8').catch(() => null));
}
/** Empties a folder. One that was there before us stays, with the mode that it had; another goes, unless it is a mount point. */
export async function emptied(folder: string, before: { mode: number } | null): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) await rm(resolve(folder, name), { recursive: true, force: true });
  if (before) return chmod(folder, before.mode);
  await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EBUSY' && error.code !== 'ENOENT') throw error;
  });
}
