import { portVerdict, type PortTry, syncFigures, type Target } from './pair-verdict';

const late: PortTry = { how: 'late', errno: 0 };
const no = (errno: number): PortTry => ({ how: 'no', errno });
const target = (is: Partial<Target> = {}): Target => ({ listener: 'ours', sniffs: true, seen: false, ...is });

describe('what a try says', () => {
  test.each<[string, 'tcp' | 'udp', PortTry, Target, string, RegExp]>([
    ['answered', 'tcp', { how: 'ok', errno: 0 }, target(), 'open', /^$/],
    ['answered by who holds the port', 'tcp', { how: 'ok', errno: 0 }, target({ listener: 'held' }), 'open', /^$/],
    ['silence, and it was seen to arrive', 'udp', late, target({ seen: true }), 'dropped', /own firewall drops/],
    ['reset, and it was seen to arrive', 'tcp', no(111), target({ seen: true }), 'refused', /own firewall rejects/],
    ['"prohibited", and it was seen to arrive', 'tcp', no(113), target({ seen: true }), 'refused', /own firewall rejects/],
    ['silence, and nothing was seen', 'tcp', late, target(), 'lost', /never arrives: something between/],
    ['silence, and nobody could look', 'tcp', late, target({ sniffs: false }), 'lost', /no answer: a firewall there or something between/],
    ['unreachable, and nothing was seen', 'tcp', no(113), target(), 'lost', /never arrives \(host unreachable\)/],
    ['reset from somewhere else', 'tcp', no(111), target(), 'refused', /something on the way/],
    ['the sender may not send', 'udp', no(1), target(), 'unsent', /sending machine does not let it out \(not permitted\)/],
    ['the sender has no route', 'tcp', no(101), target(), 'unsent', /no route/],
    ['a vxlan device holds the port', 'udp', late, target({ listener: 'held', seen: true }), 'arrives', /it arrives/],
    ['held on another address', 'tcp', no(111), target({ listener: 'held' }), 'unknown', /held there/],
    ['held, and silence', 'tcp', late, target({ listener: 'held', seen: true }), 'dropped', /own firewall/],
    ['held, and never there', 'udp', late, target({ listener: 'held' }), 'lost', /never arrives/],
    ['nothing could listen', 'tcp', no(111), target({ listener: 'none' }), 'unknown', /nothing could listen/],
  ])('%s', (...[, proto, tried, at, result, why]) => {
    expect(portVerdict(proto, tried, at)).toEqual({ result, why: expect.stringMatching(why) as string });
  });
});

test('figures of safe writes', () => {
  expect(syncFigures('/var/lib/etcd', [])).toBeNull();
  const us = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(syncFigures('/var/lib/etcd', us)).toEqual({ path: '/var/lib/etcd', writes: 100, p50Us: 50, p99Us: 99, maxUs: 100 });
  expect(syncFigures('/d', [7])).toEqual({ path: '/d', writes: 1, p50Us: 7, p99Us: 7, maxUs: 7 });
});
