import { Cidr, Port } from '@strata/model';
import { z } from 'zod';
import { defineTask } from '../define-task';
import { type Firewall, lookAtFirewall } from '../firewall';
import { FileImage, type Host } from '../ports/host';
import { must } from '../programs';
import { dropKeeper, isKept, keep, keeperImages } from './firewall-keeper';
import { foundInPlaces, type Kept, placedRules } from './firewall-rules';
import { foundInUfw, ufwRules } from './firewall-ufw';
import type { FoundRule, Opening, Rule } from './firewall-wishes';
import { firewalldRules, foundInFirewalld, reloadFirewalld } from './firewalld-rules';
import { restoreZones, ZonesBefore, zonesBefore } from './firewalld-zones';

const InterfaceName = z.string().regex(/^[a-z][a-z0-9.-]{0,14}$/);

async function look(host: Host): Promise<Firewall> {
  return lookAtFirewall({
    read: (path) => host.files.read(path),
    run: async (argv) => ((await host.programs.which(argv[0])) === null ? '' : (await host.programs.run(argv, { timeoutMs: 30_000 })).stdout),
  });
}
interface State {
  firewall: Firewall;
  placed: Kept[];
  missing: Rule[];
  ours: FoundRule[];
  surplus: FoundRule[];
}
/** What every firewall of this machine lacks and has too much of. Several may stand in the way at once; each is opened by its own tool. */
async function stateOf(host: Host, o: Opening): Promise<State> {
  const firewall = await look(host);
  const placed = placedRules(firewall, o);
  const wanted: Rule[] = [...placed, ...(firewall.ufw ? await ufwRules(host, o) : []), ...(firewall.firewalld ? await firewalldRules(host, o) : [])];
  const ours = await foundIn(host, firewall, o);
  const surplus = ours.filter((f) => !wanted.some((w) => w.id === f.id));
  // as a keeper, a rule is known by its comment
  return { firewall, placed: placed.map((r) => ({ id: r.comment, list: r.list, add: r.add })), missing: wanted.filter((r) => !r.there), ours, surplus };
}
/** All rules of ours in all firewalls that are there, whether these are switched on or not. */
async function foundIn(host: Host, firewall: Firewall, o: Opening): Promise<FoundRule[]> {
  const ufw = (await host.programs.which('ufw')) !== null;
  return [...foundInPlaces(firewall), ...(ufw ? await foundInUfw(host) : []), ...(firewall.firewalld ? await foundInFirewalld(host, o) : [])];
}
function reasonOf({ missing, surplus }: State): string {
  if (missing.length > 0) return `the firewall lacks ${missing.length} rules`;
  return surplus.length > 0 ? `the firewall has ${surplus.length} rules of an older spec` : 'the rules would be gone after a reboot';
}

/**
 * Adds accepting rules to every firewall of this machine that drops what the cluster needs, through the tool that owns it.
 * Nothing drops, nothing to do. No firewall is ever switched off.
 */
export const firewallOpen = defineTask({
  name: 'firewall.open', version: 1, layer: 'native', timeout: '10m', attempts: 2,
  title: "The firewall lets the cluster's traffic through",
  input: z.strictObject({
    ports: z.array(z.strictObject({ proto: z.enum(['tcp', 'udp']), port: Port, from: z.array(Cidr) })),
    trust: z.array(Cidr).default([]),
    interfaces: z.array(InterfaceName).default([]),
  }),
  before: z.strictObject({ kept: z.array(z.string()), files: z.array(FileImage), zones: ZonesBefore.optional() }),
  output: z.strictObject({}),
  async check({ host, input }) {
    const state = await stateOf(host, input);
    if (state.missing.length + state.surplus.length === 0 && (await isKept(host, state.placed))) return { state: 'satisfied', output: {} };
    const zones = state.firewall.firewalld ? { zones: await zonesBefore(host) } : {};
    return { state: 'unsatisfied', reason: reasonOf(state), before: { kept: state.ours.map((r) => r.id), files: await keeperImages(host), ...zones } };
  },
  async apply({ host, input }) {
    const { placed, missing, surplus } = await stateOf(host, input);
    await keep(host, placed);
    for (const rule of missing) await must(host, rule.add);
    for (const rule of surplus) await must(host, rule.remove);
  },
  async verify({ host }) {
    if ((await look(host)).firewalld) await reloadFirewalld(host);
  },
  async undo({ host, input, before }) {
    await dropKeeper(host, before.files);
    const firewall = await look(host);
    for (const rule of await foundIn(host, firewall, input)) if (!before.kept.includes(rule.id)) await must(host, rule.remove);
    if (!firewall.firewalld) return;
    if (before.zones) await restoreZones(host, before.zones);
    await reloadFirewalld(host);
  },
}); // prettier-ignore
