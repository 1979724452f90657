import { droppingPlaces, type Firewall, type Place } from '../firewall';
import { type Argv, type FoundRule, interestOf, mark, type Opening, type Rule, type Wish, wishesAt } from './firewall-wishes';

/** What a rule that has to come back by itself needs: the command that lists its chain, and the one that adds it. */
export interface Kept {
  id: string; // its comment
  list: Argv;
  add: Argv;
}
type PlacedRule = Rule & Kept & { comment: string };
type IptablesPlace = Exclude<Place, { tool: 'nftables' }>;
type NftPlace = Extract<Place, { tool: 'nftables' }>;

const isNft = (p: Place): p is NftPlace => p.tool === 'nftables';
const where = (p: Place): string => (isNft(p) ? `nft ${p.family} ${p.table} ${p.chain}` : `${p.tool} ${p.table} ${p.chain}`);
/** Waits for its lock: others use iptables as well. */
const iptables = (p: { tool: string; table: string }): Argv => [p.tool, '-w', '10', '-t', p.table];

/**
 * The rules that let `o` through, at the top of every chain that drops, whoever's it is. An accept is final for its own chain only:
 * each of them needs its own.
 */
export function placedRules(firewall: Firewall, o: Opening): PlacedRule[] {
  const found = new Set(foundInPlaces(firewall).map((r) => r.id));
  return placesOf(firewall, o).flatMap((place) =>
    wishesOf(place, o).map((w) => {
      const id = `${where(place)} ${w.id}`;
      return { id, comment: w.id, there: found.has(id), ...(isNft(place) ? nftRule(place, w) : iptablesRule(place, w)) };
    }),
  );
}
/** Chains that drop. One that holds rules of ours stays one, also when what they stand ahead of is gone: that is the next check's to say. */
const placesOf = (firewall: Firewall, o: Opening): Place[] => droppingPlaces(firewall, interestOf(o));

/** A bridge's own chains see what pods of one machine say to each other: all of it, ARP too, is let through on the pods' bridge. */
function wishesOf(place: Place, o: Opening): Wish[] {
  if (!isNft(place) || place.family !== 'bridge') return wishesAt(o, place.hook);
  return o.interfaces.filter((name) => name === 'cni0').map((name) => ({ id: `${mark}on-${name}`, hook: 'forward', interface: name }));
}
function nftRule(at: NftPlace, w: Wish): Omit<Kept, 'id'> {
  const chain = [at.family, at.table, at.chain] as const;
  const match = [
    ...(w.source ? ['ip', 'saddr', w.source] : []),
    ...(w.destination ? ['ip', 'daddr', w.destination] : []),
    ...(w.interface ? (at.family === 'bridge' ? ['meta', 'ibrname', w.interface] : ['iifname', w.interface]) : []),
    ...(w.proto ? [w.proto, 'dport', String(w.port)] : []),
  ];
  return { list: ['nft', 'list', 'chain', ...chain], add: ['nft', 'insert', 'rule', ...chain, ...match, 'accept', 'comment', `"${w.id}"`] };
}
function iptablesRule(at: IptablesPlace, w: Wish): Omit<Kept, 'id'> {
  const spec = [
    ...(w.source ? ['-s', w.source] : []),
    ...(w.destination ? ['-d', w.destination] : []),
    ...(w.interface ? ['-i', w.interface] : []),
    ...(w.proto ? ['-p', w.proto, '--dport', String(w.port)] : []),
    ...['-m', 'comment', '--comment', w.id, '-j', 'ACCEPT'],
  ];
  return { list: [...iptables(at), '-S', at.chain], add: [...iptables(at), '-I', at.chain, ...spec] };
}

/** All rules of ours in nftables and iptables, also those of an older spec and of chains that drop no more: they bear our mark. */
export function foundInPlaces(firewall: Firewall): FoundRule[] {
  const nft = firewall.nft.flatMap((t) =>
    t.chains.flatMap((c) =>
      c.rules
        .filter((r) => r.comment?.startsWith(mark))
        .map((r): FoundRule => ({
          id: `nft ${t.family} ${t.name} ${c.name} ${r.comment}`,
          remove: ['nft', 'delete', 'rule', t.family, t.name, c.name, 'handle', r.handle ?? ''],
        })),
    ),
  );
  const tables = firewall.iptables.flatMap((i) =>
    i.tables.flatMap((t) =>
      t.rules.flatMap((r): FoundRule[] => {
        const comment = r.words[r.words.indexOf('--comment') + 1] ?? '';
        if (!r.words.includes('--comment') || !comment.startsWith(mark)) return [];
        const at = { tool: i.program, table: t.name };
        return [{ id: `${i.program} ${t.name} ${r.chain} ${comment}`, remove: [...iptables(at), '-D', r.chain, ...r.words] }];
      }),
    ),
  );
  return [...nft, ...tables];
}
