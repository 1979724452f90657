import type { Hook, Interest } from '../firewall';

/** What shall get through. `from`: IPv4 ranges, empty for everybody. */
export interface Opening {
  ports: readonly { proto: 'tcp' | 'udp'; port: number; from: readonly string[] }[];
  trust: readonly string[];
  interfaces: readonly string[];
}
/** One rule that we want. `id` names it in the firewall itself. */
export interface Wish {
  id: string;
  hook: 'input' | 'forward';
  proto?: 'tcp' | 'udp';
  port?: number;
  source?: string;
  destination?: string;
  interface?: string;
}
export type Argv = [string, ...string[]];
/** A rule that we want in the firewall, and whether it is there. */
export interface Rule {
  id: string;
  there: boolean;
  add: Argv;
}
/** A rule of ours that is in the firewall now. */
export interface FoundRule {
  id: string;
  remove: Argv;
}

const word = (value: string): string => value.replace(/[^a-z0-9.-]/gi, '_');
/** The mark of all rules of ours, where a firewall keeps comments. */
export const mark = 'strata-';

export function wishes(o: Opening): Wish[] {
  const ports = o.ports.flatMap(({ proto, port, from }) =>
    (from.length === 0 ? [undefined] : from).map(
      (source): Wish => ({ id: `${mark}${proto}-${port}${source ? `-${word(source)}` : ''}`, hook: 'input', proto, port, source }), // prettier-ignore
    ),
  );
  const trust = o.trust.flatMap((range): Wish[] => [
    { id: `${mark}from-${word(range)}`, hook: 'input', source: range },
    { id: `${mark}forward-from-${word(range)}`, hook: 'forward', source: range },
    { id: `${mark}forward-to-${word(range)}`, hook: 'forward', destination: range },
  ]);
  const links = o.interfaces.map((name): Wish => ({ id: `${mark}on-${word(name)}`, hook: 'input', interface: name }));
  return [...ports, ...trust, ...links];
}
/** The wishes for a hook: what comes in passes the earlier hooks whether it stays or goes on. */
export function wishesAt(o: Opening, hook: Hook): Wish[] {
  const all = wishes(o);
  if (hook === 'input' || hook === 'forward') return all.filter((w) => w.hook === hook);
  return all.filter((w) => !(w.hook === 'forward' && w.source)); // the same as from there to this machine
}
/** What a dropping rule must be able to meet to be in our way. */
export const interestOf = (o: Opening): Interest => ({
  ranges: [...new Set([...o.ports.flatMap((p) => p.from), ...o.trust])],
});
