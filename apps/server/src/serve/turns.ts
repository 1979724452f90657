/** Work under one key is done one after the other, in the order asked; different keys do not wait for each other. */
export class Turns {
  private readonly last = new Map<string, Promise<unknown>>();

  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.last.get(key) ?? Promise.resolve()).then(work, work);
    const quiet = turn.catch(() => undefined);
    this.last.set(key, quiet);
    void quiet.then(() => {
      if (this.last.get(key) === quiet) this.last.delete(key);
    });
    return turn;
  }
}
