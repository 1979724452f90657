import { createHash } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { canonicalJson, type Facts } from '@strata/model';
import { localSource } from '@strata/host-local';
import { gatherFacts, isPodLink, stableFacts } from '@strata/tasks';

const lookEveryMs = 10_000;
const gatherEveryMs = 600_000;

/** What tells whether this machine is still the one that plans were made for. */
export const digestOf = (f: Facts): string =>
  createHash('sha256')
    .update(canonicalJson(stableFacts(f)))
    .digest('hex');

/** This machine's facts, and word when they change. Addresses are looked at every 10 s at no cost, everything every 10 minutes. */
export class FactsWatch {
  private current: Facts | null = null;
  private addresses = '';
  private timers: NodeJS.Timeout[] = [];
  constructor(private readonly onChange: (change: { what: string; before: Facts; after: Facts; digest: string }) => void) {}

  async get(): Promise<Facts> {
    this.current ??= await gatherFacts(localSource);
    return this.current;
  }
  async digest(): Promise<string> {
    return digestOf(await this.get());
  }
  /** Fresh facts, for a server that asks. */
  async fresh(): Promise<Facts> {
    this.current = await gatherFacts(localSource);
    return this.current;
  }
  start(): void {
    this.addresses = ownAddresses();
    this.timers = [setInterval(() => this.look(), lookEveryMs), setInterval(() => void this.compare('facts'), gatherEveryMs)];
    this.timers.forEach((t) => t.unref());
  }
  stop(): void {
    this.timers.forEach(clearInterval);
  }
  private look(): void {
    const now = ownAddresses();
    if (now === this.addresses) return;
    this.addresses = now;
    void this.compare('addresses');
  }
  private async compare(what: string): Promise<void> {
    const before = await this.get();
    const after = await this.fresh().catch(() => before);
    const digest = digestOf(after);
    if (digest !== digestOf(before)) this.onChange({ what, before, after, digest });
  }
}

/** The interfaces that are the machine's own, with their addresses, as text to compare. */
export const ownAddresses = (interfaces = networkInterfaces()): string =>
  JSON.stringify(Object.entries(interfaces).filter(([name]) => !isPodLink(name) && !/^(docker|br-)/.test(name)));
