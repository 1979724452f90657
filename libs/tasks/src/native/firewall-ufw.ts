import type { Host } from '../ports/host';
import { must } from '../programs';
import type { FoundRule, Opening, Rule, Wish } from './firewall-wishes';
import { wishes } from './firewall-wishes';

/** ufw takes a second to answer: it is asked once for all rules. */
const added = async (host: Host): Promise<string[]> => (await must(host, ['ufw', 'show', 'added'], { timeoutMs: 30_000 })).stdout.split('\n');

export async function ufwRules(host: Host, o: Opening): Promise<Rule[]> {
  const lines = await added(host);
  return wishes(o).map((w) => ufwRule(w, lines));
}
/**
 * In the words in which ufw shows it again: what the operator had allowed already is left to the operator. Ahead of the operator's own,
 * since with ufw the first rule that fits decides, and `deny from any` may be the last.
 */
function ufwRule(w: Wish, lines: readonly string[]): Rule {
  const address = (range: string): string => range.replace(/\/32$/, '');
  const route = w.hook === 'forward' ? ['route'] : [];
  const spec = [
    'allow',
    ...(w.interface ? ['in', 'on', w.interface] : []),
    ...(w.source ? ['from', address(w.source)] : []),
    ...(w.destination ? ['to', address(w.destination)] : []),
    ...(w.port && w.source ? ['to', 'any', 'port', String(w.port), 'proto', w.proto ?? ''] : []),
    ...(w.port && !w.source ? [`${w.port}/${w.proto}`] : []),
  ];
  const line = ['ufw', ...route, ...spec].join(' ');
  const there = lines.some((l) => l === line || l.startsWith(`${line} comment `));
  return { id: `ufw ${w.id}`, there, add: ['ufw', ...route, 'prepend', ...spec, 'comment', w.id] };
}
/** All rules of ours in ufw, also those of an older spec. */
export async function foundInUfw(host: Host): Promise<FoundRule[]> {
  return (await added(host)).flatMap((line): FoundRule[] => {
    const [, route, spec = '', id = ''] = /^ufw (route )?(.+) comment '(strata-[^']+)'$/.exec(line) ?? [];
    return id === '' ? [] : [{ id: `ufw ${id}`, remove: ['ufw', '--force', ...(route ? ['route'] : []), 'delete', ...spec.split(' ')] }];
  });
}
