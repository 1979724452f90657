import type { Facts, NodeSpec } from '@strata/model';
import { likelyAddresses, listOf, nodeAddresses } from '@strata/tasks';
import { PlanRefused } from './refused';

/**
 * The one address of a node. @throws PlanRefused when the machine does not have the one that the spec names, or has several and the
 * spec chooses none: it names them all.
 */
export function addressOf(node: NodeSpec, facts: Facts): string {
  const found = node.address === undefined ? likelyAddresses(facts) : nodeAddresses(facts);
  const list = listOf(found);
  const refuse = (code: string, message: string): never => {
    throw new PlanRefused(code, message, `set \`address\` of ${node.name} in the spec to one of: ${list}`);
  };
  if (node.address !== undefined) {
    const byAddress = found.find((c) => c.address === node.address);
    if (byAddress) return byAddress.address;
    const named = found.filter((c) => c.interface === node.address);
    if (named.length === 1 && named[0]) return named[0].address;
    if (named.length > 1) return refuse('network.choose-address', `interface ${node.address} of ${node.name} has several addresses`);
    return refuse('network.no-such-address', `${node.name} has no address or interface ${node.address}; it has: ${list}`);
  }
  if (found.length === 1 && found[0]) return found[0].address;
  const ways = [...new Set(facts.routes.filter((r) => r.destination === 'default' || r.destination === '0.0.0.0/0').map((r) => r.interface))];
  const onTheWay = found.filter((c) => c.interface === ways[0]);
  const alone = ways.length === 1 && new Set(found.map((c) => c.interface)).size === 1;
  if (alone && onTheWay.length === 1 && onTheWay[0]) return onTheWay[0].address;
  return refuse('network.choose-address', `${node.name} has several addresses and the spec chooses none`);
}
