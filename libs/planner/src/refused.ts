/** No plan can be made of this: what is wrong and what to do about it. Nothing was changed. */
export class PlanRefused extends Error {
  /** @param code stable word, e.g. `unknown-version`. */
  constructor(
    readonly code: string,
    message: string,
    readonly remedy: string,
  ) {
    super(message);
    this.name = 'PlanRefused';
  }
}
