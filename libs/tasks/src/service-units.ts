import type { Host } from './ports/host';

/** The words for a unit that does not run or would not start with the machine, or null. */
export async function idle(host: Host, units: readonly string[]): Promise<string | null> {
  for (const unit of units) {
    const state = await host.units.state(unit);
    if (state.active !== 'active' || state.enabled !== 'enabled') return `${unit} is ${state.active} and ${state.enabled}`;
  }
  return null;
}
/** Stops what runs; what is not there is fine. */
export async function halt(host: Host, units: readonly string[]): Promise<void> {
  for (const unit of units) if ((await host.units.state(unit)).load !== 'not-found') await host.units.stop(unit);
}
/** Starts them with the machine and now. A unit that is stopped whenever its files change runs by what is on the disk. */
export async function begin(host: Host, units: readonly string[], log: (line: string) => void): Promise<void> {
  await host.units.daemonReload();
  for (const unit of units) {
    await host.units.enable(unit);
    try {
      if ((await host.units.state(unit)).active !== 'active') await host.units.start(unit);
    } catch (error) {
      for (const line of await host.units.log(unit, 12)) log(line);
      throw error;
    }
  }
}
/** Takes units out of the start of the machine and ends them. */
export async function endUnits(host: Host, units: readonly string[]): Promise<void> {
  for (const unit of units) {
    if ((await host.units.state(unit)).load === 'not-found') continue;
    await host.units.stop(unit);
    await host.units.disable(unit);
  }
}
