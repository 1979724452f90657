import { localHost } from '@strata/host-local';
import { uninstall } from './join';
import type { Paths } from './paths';
import { takeBack } from './take-back';

/**
 * `stratad uninstall`: gives this machine back without a server. With `agentOnly` just the agent goes: the server has taken the rest back already.
 * @returns the exit code: 1 when something is left; without `force` the agent then stays, so that it can be tried again.
 */
export async function takeAll(paths: Paths, o: { force: boolean; agentOnly: boolean; say: (line: string) => void }): Promise<number> {
  if (o.agentOnly) {
    await uninstall(paths, { stop: 'last', say: o.say });
    return 0;
  }
  const { units } = localHost({ stateDir: paths.state });
  const unit = 'stratad.service';
  const ran = (await units.state(unit)).active === 'active';
  if (ran) await units.stop(unit); // no order of the server may meddle meanwhile
  const { left, changed } = await takeBack(paths, o);
  if (left.length > 0 && !o.force) {
    if (ran) await units.start(unit).catch(() => undefined);
    o.say(
      `left: ${left.map((l) => l.step).join(', ')}; what was done before it stays. Mend the cause and run this again, or go on without it: stratad uninstall --force`,
    );
    return 1;
  }
  await uninstall(paths, { stop: 'first', say: o.say });
  for (const l of left) o.say(`left: ${l.step}: ${l.why}`);
  for (const c of changed) o.say(`left: ${c.kind} ${c.what}: is ${c.now}, was ${c.before} (${c.task})`);
  o.say(left.length + changed.length === 0 ? 'this machine is as it was' : 'the rest of this machine is as it was');
  return left.length > 0 ? 1 : 0;
}
