/** The process died here. It is not a TaskError: nothing may catch it and go on. */
export class SimulatedCrash extends Error {
  constructor(readonly call: string) {
    super(`the agent died at ${call}`);
    this.name = 'SimulatedCrash';
  }
}

/** Every change to a memory machine goes through here, so that a test can let any of them fail. */
export class Effects {
  /** Names of the changes made so far, in order, as `files.write /etc/hosts`. */
  readonly done: string[] = [];
  private plan: { at: number; when: 'before' | 'after'; error?: Error } | null = null;
  private count = 0;

  /** The n-th change from now (1 is the next) throws, ahead of its effect or just after it. Default: a crash. */
  failAt(n: number, when: 'before' | 'after' = 'before', error?: Error): void {
    this.plan = { at: this.count + n, when, error };
  }
  heal(): void {
    this.plan = null;
  }
  get made(): number {
    return this.count;
  }
  /** Does one change. */
  async run<T>(name: string, change: () => T | Promise<T>): Promise<T> {
    this.count++;
    const fails = this.plan?.at === this.count ? this.plan : null;
    if (fails?.when === 'before') throw fails.error ?? new SimulatedCrash(name);
    const value = await change();
    this.done.push(name);
    if (fails) throw fails.error ?? new SimulatedCrash(name);
    return value;
  }
}
