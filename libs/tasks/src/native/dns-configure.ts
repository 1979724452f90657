import { HostOrIp, Ipv4 } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { FileImage, type Host } from '../ports/host';
import { must } from '../programs';
import { TaskError } from '../task-error';
import { withBlockFirst, withoutBlock } from './marked-block';
import { ownMode } from './own-mode';

interface Wanted {
  servers: string[];
  search: string[];
}
/** How each owner of /etc/resolv.conf is told: by a file of our own beside its own settings, never by overwriting what it knows. */
interface Way {
  file: string;
  /** Others write this file, too: our part is a block in it. */
  shared: boolean;
  text(current: string, w: Wanted): string;
  tell(host: Host): Promise<void>;
}
const resolvLines = (w: Wanted): string[] => [...w.servers.map((s) => `nameserver ${s}`), ...(w.search.length > 0 ? [`search ${w.search.join(' ')}`] : [])];
const plainFile: Way = {
  file: '/etc/resolv.conf',
  shared: true,
  text: (current, w) => withBlockFirst(current, resolvLines(w)),
  tell: async () => Promise.resolve(),
};
const ways: Record<string, Way> = {
  'systemd-resolved': {
    file: '/etc/systemd/resolved.conf.d/90-strata.conf',
    shared: false,
    text: (_, w) =>
      `# Written by Strata\n[Resolve]\n${w.servers.length > 0 ? `DNS=${w.servers.join(' ')}\n` : ''}${w.search.length > 0 ? `Domains=${w.search.join(' ')}\n` : ''}`,
    tell: (host) => host.units.restart('systemd-resolved.service'),
  },
  networkmanager: {
    file: '/etc/NetworkManager/conf.d/90-strata.conf',
    shared: false,
    text: (_, w) =>
      `# Written by Strata\n[global-dns]\n${w.search.length > 0 ? `searches=${w.search.join(',')}\n` : ''}\n[global-dns-domain-*]\nservers=${w.servers.join(',')}\n`,
    tell: (host) => host.units.reload('NetworkManager.service'),
  },
  resolvconf: {
    file: '/etc/resolvconf/resolv.conf.d/head',
    shared: true,
    text: (current, w) => withBlockFirst(current, resolvLines(w)),
    tell: async (host) => void (await must(host, ['resolvconf', '-u'])),
  },
};
async function wayOf(host: Host): Promise<Way> {
  return ways[(await host.facts('dns')).dns.managedBy] ?? plainFile;
}

/** Asks the spec's name servers first. What works stays: nothing asked for, nothing done. */
export const dnsConfigure = defineTask({
  name: 'dns.configure', version: 1, layer: 'native', timeout: '2m', attempts: 2,
  title: 'The name servers of the spec are asked',
  input: z.strictObject({ servers: z.array(Ipv4).max(3), search: z.array(HostOrIp).max(6) }),
  before: z.strictObject({ file: FileImage, managedBy: z.string() }),
  output: z.strictObject({}),
  async check({ host, input }) {
    if (input.servers.length + input.search.length === 0) return { state: 'satisfied', output: {} };
    const { dns } = await host.facts('dns');
    const way = await wayOf(host);
    const current = (await host.files.read(way.file)) ?? '';
    const asked = input.servers.every((s, i) => dns.servers[i] === s) && input.search.every((s) => dns.search.includes(s));
    if (current === way.text(current, input) || asked) return { state: 'satisfied', output: {} };
    return { state: 'unsatisfied', reason: `asked now: ${dns.servers.join(', ') || 'none'}`, before: { file: await host.files.image(way.file), managedBy: dns.managedBy } };
  },
  async apply({ host, input }) {
    for (const server of input.servers)
      if (!(await host.network.reaches(server, 53, 5000)))
        throw new TaskError('dns-unreachable', `the name server ${server} does not answer on port 53/tcp: the resolver was left as it is`, { remedy: 'see `native.dns.servers` in the spec, and the way to that server', retry: true });
    const way = await wayOf(host);
    await host.files.write(way.file, way.text((await host.files.read(way.file)) ?? '', input), { mode: await ownMode(host, way.file) });
  },
  async verify({ host }) {
    await (await wayOf(host)).tell(host);
  },
  async undo({ host, before }) {
    const way = ways[before.managedBy] ?? plainFile;
    const current = await host.files.read(way.file);
    if (way.shared && before.file.kind === 'file' && current !== null) await host.files.write(way.file, withoutBlock(current), { mode: before.file.mode });
    else await host.files.restore(before.file);
    await way.tell(host);
  },
}); // prettier-ignore
