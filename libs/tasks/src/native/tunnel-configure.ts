import { tunnelLink } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { identityParts } from '../identity-parts';
import { differing, FileImages, imagesOf, restoreAll, writeAll } from '../orchestration/written-files';
import type { Host } from '../ports/host';
import { endUnits, idle } from '../service-units';
import { TaskError } from '../task-error';
import { answerTable, tunnelFiles, TunnelInput, tunnelPaths as paths } from './tunnel-files';

const units = [paths.linkUnit, paths.unit] as const;
const device = '/dev/net/tun';
/** Whose the identity is stands above it: a certificate cannot be read without a program for it. */
const headOf = (input: TunnelInput): string => `# ${input.name}, ${input.end.kind}\n`;

/** The words for what is not as it should be, or null. */
async function wrong(host: Host, input: TunnelInput): Promise<string | null> {
  const words = await differing(host, tunnelFiles(input));
  if (words !== null) return words;
  if (!(await host.files.read(paths.identity))?.startsWith(headOf(input)) || (await host.files.stat(paths.ca)) === null) return 'it has no certificate for the tunnel';
  if ((await strangers(host, input)).length > 0) return 'it knows nodes that are gone';
  return idle(host, units);
} // prettier-ignore
/** Nodes that the hub lets in and that are not in the plan any more. */
async function strangers(host: Host, { end }: TunnelInput): Promise<string[]> {
  if ((await host.files.stat(paths.peers)) === null) return [];
  const known = new Set(end.kind === 'hub' ? end.peers.map((p) => p.name) : []);
  return (await host.files.list(paths.peers)).filter((name) => !known.has(name)).map((name) => `${paths.peers}/${name}`);
}

/** One end of the tunnel through which nodes are reached that can only dial out: the control plane listens, all others dial it. */
export const tunnelConfigure = defineTask({
  name: 'tunnel.configure', version: 1, layer: 'native', timeout: '3m', attempts: 3,
  title: 'The tunnel to nodes behind a NAT is open',
  input: TunnelInput,
  before: z.strictObject({ images: FileImages }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const words = await wrong(host, input);
    if (words === null) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: words, before: { images: await imagesOf(host, units.map((unit) => `/etc/systemd/system/${unit}`)) } };
  },
  async apply({ host, input, secret }) {
    if ((await host.files.stat(device)) === null)
      throw new TaskError('no-tun', `this machine has no ${device}, which the tunnel needs`, {
        remedy: 'load the module tun; in a container let its host give it the device (Proxmox: `dev0: /dev/net/tun`, LXC: lxc.mount.entry), then retry the step',
      });
    const { certificate, key, ca } = identityParts(secret(input.identity));
    await host.files.mkdir(paths.folder, { mode: 0o700 });
    await host.files.write(paths.ca, ca);
    await host.files.write(paths.identity, `${headOf(input)}${certificate}${key}`, { mode: 0o600 });
    for (const path of await strangers(host, input)) await host.files.remove(path);
    await writeAll(host, tunnelFiles(input));
    await host.units.daemonReload();
    for (const unit of units) await host.units.enable(unit);
  },
  /** Started anew: it tells systemd that it is there when the other end has let it in. */
  async verify({ host, log }) {
    try {
      for (const unit of units) await host.units.restart(unit);
    } catch (error) {
      for (const line of await host.units.log(paths.unit, 12)) log(line);
      throw error;
    }
  },
  async undo({ host, before }) {
    await endUnits(host, [...units].reverse());
    await restoreAll(host, before.images);
    await host.units.daemonReload();
    if ((await host.network.links()).includes(tunnelLink)) {
      await host.programs.run(['ip', 'rule', 'del', 'lookup', answerTable]); // only a node behind a NAT has it
      await host.network.deleteLink(tunnelLink);
    }
    await host.files.remove(paths.folder, { recursive: true });
  },
}); // prettier-ignore
