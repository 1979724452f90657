import type { Probed } from '@strata/model';

/** How a try ended, as the sending machine saw it. */
export interface PortTry {
  how: 'ok' | 'no' | 'late';
  errno: number;
}
/** What the target knows. listener: ours; held by another; or there is none, because the target could not be prepared. */
export interface Target {
  listener: 'ours' | 'held' | 'none';
  /** Whether it sees packets ahead of its own firewall, and whether it saw one of this try. */
  sniffs: boolean;
  seen: boolean;
}
const errnos: Record<number, string> = { 1: 'not permitted', 13: 'not permitted', 101: 'no route', 111: 'refused', 113: 'host unreachable' };

/** What a try says about the way between two machines, and why. Pure. */
export function portVerdict(proto: 'tcp' | 'udp', tried: PortTry, target: Target): { result: Probed; why: string } {
  if (tried.how === 'ok') return { result: 'open', why: '' };
  if (target.listener === 'none') return { result: 'unknown', why: 'nothing could listen there' };
  if (tried.how === 'no' && [1, 13, 101].includes(tried.errno) && !target.seen)
    return { result: 'unsent', why: `the sending machine does not let it out (${errnos[tried.errno] ?? ''})` };
  if (target.listener === 'held') return held(proto, tried, target);
  if (target.seen)
    return tried.how === 'late'
      ? { result: 'dropped', why: 'it reaches the machine, whose own firewall drops it' }
      : { result: 'refused', why: 'it reaches the machine, whose own firewall rejects it' };
  if (tried.how === 'no' && tried.errno === 111) return { result: 'refused', why: 'something on the way, or the firewall there, rejects it' };
  const said = tried.how === 'no' ? ` (${errnos[tried.errno] ?? `error ${tried.errno}`})` : '';
  return target.sniffs
    ? { result: 'lost', why: `it never arrives${said}: something between the machines, or the firewall of the sender, stops it` }
    : { result: 'lost', why: `no answer${said}: a firewall there or something between the machines stops it` };
}

/** A port that somebody else holds: the way is what matters, who holds it is the business of precheck.ports. */
function held(proto: 'tcp' | 'udp', tried: PortTry, target: Target): { result: Probed; why: string } {
  if (proto === 'udp' && target.seen) return { result: 'arrives', why: 'it arrives; who holds the port there does not talk to us' };
  if (tried.how === 'no' && tried.errno === 111) return { result: 'unknown', why: 'the port is held there by something that does not take this connection' };
  if (target.seen) return { result: 'dropped', why: 'it reaches the machine, but is not answered: its own firewall drops it' };
  return { result: 'lost', why: target.sniffs ? 'it never arrives' : 'no answer' };
}

/** The place of a share in sorted durations; what etcd's own documentation measures by. */
export function syncFigures(path: string, us: readonly number[]): { path: string; writes: number; p50Us: number; p99Us: number; maxUs: number } | null {
  if (us.length === 0) return null;
  const sorted = [...us].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { path, writes: us.length, p50Us: at(0.5), p99Us: at(0.99), maxUs: at(1) };
}
